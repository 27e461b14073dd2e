"""How a run is made, beside its problem and its network: what a run that is continued takes over."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ..descent.history import COLUMNS
from ..rules.guaranteed import Local
from ..rules.registry import rule_again, rule_from, rule_parts
from ..rules.rule import Rule
from ..spectral.modes import spectral_from
from ..spectral.spectral import Spectral
from ..validation import as_count, as_flag, as_number, shown
from .scales import LayerScales

__all__ = ["Record", "RunOptions", "check_saved_options"]

# "all", or names of columns.
Record = str | Iterable[str]


@dataclass(frozen=True)
class RunOptions:
    """Checked options of a run. `record` are names of columns, in the order of the history."""

    rule: Rule
    spectral: Spectral
    tol: float
    grad_tol: float | None
    max_growth: float | None
    compress: bool
    record: tuple[str, ...]
    record_every: int
    layer_scales: LayerScales

    @classmethod
    def new(cls, *, step_size, tol, grad_tol, max_growth, constants, compress, record, record_every,
            layer_scales=None):
        """Return the options of a new run; None stands for the default.

        Raises
        ------
        TypeError, ValueError
            On bad options.

        """
        return cls(rule=Local() if step_size is None else rule_from(step_size),
                   spectral=spectral_from(constants),
                   tol=1e-10 if tol is None else as_number("tol", tol),
                   grad_tol=None if grad_tol is None else as_number("grad_tol", grad_tol, positive=True),
                   max_growth=None if max_growth is None else _growth(max_growth),
                   compress=True if compress is None else as_flag("compress", compress),
                   record=COLUMNS if record is None else _recorded(record),
                   record_every=1 if record_every is None else as_count("record_every", record_every),
                   layer_scales=LayerScales() if layer_scales is None else LayerScales.of(layer_scales))

    @classmethod
    def again(cls, own, *, step_size, tol, grad_tol, max_growth, **fixed):
        """Return the options of a run that goes on; None stands for its `own`, as `to_dict` has taken them apart.

        Raises
        ------
        TypeError, ValueError
            On bad options; if one of the `fixed` is given and differs from the run's own.

        """
        given = cls.new(step_size=step_size, tol=tol, grad_tol=grad_tol, max_growth=max_growth, **fixed)
        for name, value in given.to_dict().items():
            if fixed.get(name) is not None and value != own[name]:
                raise ValueError(f"{name}: expected that of the run that is continued, {own[name]!r}, got {value!r}")
        return cls(rule=rule_again(own["rule"]) if step_size is None else given.rule,
                   spectral=spectral_from(own["constants"]["mode"], tolerance=own["constants"]["tolerance"]),
                   tol=own["tol"] if tol is None else given.tol,
                   grad_tol=own["grad_tol"] if grad_tol is None else given.grad_tol,
                   max_growth=own["max_growth"] if max_growth is None else given.max_growth, compress=own["compress"],
                   record=tuple(own["record"]), record_every=own["record_every"],
                   layer_scales=LayerScales.of(own["layer_scales"]))

    def to_dict(self):
        """Return everything, plain enough for JSON."""
        return {"rule": rule_parts(self.rule),
                "constants": {"mode": self.spectral.mode, "tolerance": self.spectral.tolerance},
                "tol": self.tol, "grad_tol": self.grad_tol, "max_growth": self.max_growth,
                "compress": self.compress, "record": list(self.record), "record_every": self.record_every,
                "layer_scales": self.layer_scales._asdict()}


def check_saved_options(own):
    """Check what `to_dict` has taken apart, the rule excepted: it may be anybody's, and need not be imported yet.

    Raises
    ------
    ValueError
        If no run can have been made with these options.

    """
    spectral = spectral_from(own["constants"]["mode"], tolerance=own["constants"]["tolerance"])
    others = {name: value for name, value in own.items() if name not in ("rule", "constants")}
    RunOptions.new(step_size=None, constants=spectral, **others)


def _growth(max_growth):
    growth = as_number("max_growth", max_growth, positive=True)
    if growth < 1.0:
        raise ValueError(f"max_growth: expected a finite number >= 1, got {shown(max_growth)}")
    return growth


def _recorded(record):
    """Return the names of the columns that `record` asks for."""
    if isinstance(record, str):
        if record != "all":
            raise ValueError(f"record: expected 'all' or a list of column names, got {shown(record)}")
        return COLUMNS
    try:
        names = tuple(record)
    except TypeError:
        raise TypeError(f"record: expected 'all' or a list of column names, got {shown(record)}") from None
    unknown = [name for name in names if not isinstance(name, str) or name not in COLUMNS]
    if unknown or not names:
        close = unknown and difflib.get_close_matches(str(unknown[0]), COLUMNS, 1)
        raise ValueError(f"record: expected names among {', '.join(COLUMNS)}; got {unknown or 'none'}"
                         + (f"; did you mean {close[0]!r}?" if close else ""))
    return names
