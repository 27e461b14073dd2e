from typing import ClassVar, Literal, final

from .spectral import ROUNDING as ROUNDING
from .spectral import Spectral

@final
class Certified(Spectral):
    mode: ClassVar[Literal["certified"]]

    @property
    def upper_widths(self) -> tuple[float, float]: ...
