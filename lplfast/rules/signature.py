"""How options are called: compiled classes cannot tell."""

import inspect

__all__ = ["signature"]


def signature(arguments):
    """Return the signature that these arguments have in a `def`: compiled classes cannot tell their own.

    Examples
    --------
    >>> signature("bound='rho', *, c1=0.5")
    <Signature (bound='rho', *, c1=0.5)>
    """
    return inspect.signature(eval(f"lambda {arguments}: None"))
