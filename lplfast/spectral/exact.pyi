from typing import ClassVar, Literal, final

from .spectral import ROUNDING as ROUNDING
from .spectral import Spectral

@final
class Exact(Spectral):
    mode: ClassVar[Literal["exact"]]

    @property
    def upper_widths(self) -> tuple[float, float]: ...
