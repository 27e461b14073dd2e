"""The ways of finding singular values, by name."""

from ..validation import as_choice, shown
from .certified import Certified
from .exact import Exact
from .power import Power
from .spectral import Spectral

MODES = {kind.mode: kind for kind in (Certified, Exact, Power)}


def spectral_from(constants=None, *, tolerance=0.01):
    """Return the Spectral that an argument `constants` means: one itself, the name of a mode, or None for the default.

    Parameters
    ----------
    constants : {"certified", "exact", "power"} or Spectral, optional
        One itself is returned as it is.
    tolerance : float
        That of a mode given by name.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.

    Examples
    --------
    >>> spectral_from(None), spectral_from("exact", tolerance=0.1)
    (Certified(tolerance=0.01), Exact(tolerance=0.1))
    """
    if isinstance(constants, Spectral):
        if not constants.tolerance > 0.0:
            raise TypeError(f"constants: expected what its __init__ has made, got a {type(constants).__name__} that "
                            "has not been through it; call the class")
        return constants
    if constants is not None and not isinstance(constants, str):
        raise TypeError(f"constants: expected 'certified', 'exact' or 'power', got {shown(constants)}")
    return MODES[as_choice("constants", "certified" if constants is None else constants, MODES)](tolerance=tolerance)
