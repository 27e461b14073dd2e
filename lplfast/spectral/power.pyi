from typing import ClassVar, Literal, final

from .spectral import Spectral

@final
class Power(Spectral):
    mode: ClassVar[Literal["power"]]

    @property
    def upper_widths(self) -> tuple[float, float]: ...
