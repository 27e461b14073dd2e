"""A loss and a step rule of one's own, compiled into lplfast's loop."""

from .loss import LogCosh
from .rule import ProductStep

__all__ = ["LogCosh", "ProductStep"]
