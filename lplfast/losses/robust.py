"""A loss for targets with outliers: a square near 0, an absolute value far out."""

import numpy as np

from ..annotations import ArrayLike, Reduction
from ..validation import HUGE, as_matrix, as_number
from .expansion import pieces
from .newton import newton
from .pseudo_huber import PseudoHuber
from .row_loss import RowLoss

__all__ = ["PseudoHuberLoss"]

U = float(np.finfo(float).eps) / 2

# Steps of Newton's method that are tried as they are; those for a greater delta, and by how much it falls from one of
# them to the next.
DIRECT, STEPS, FALL = 25, 3, 4.0


class PseudoHuberLoss(RowLoss):
    """l(W) = sum_ij delta^2 (sqrt(1 + (r_ij / delta)^2) - 1) + l2/2 ||W + offset||_F^2, r = X (W + offset) - Y.

    An entry counts as `r^2 / 2` where r is far below delta, as `delta |r|` where it is far above: outliers pull with a
    force of at most delta. `K = s_max(X)^2 + l2` and `mu = l2`, for a mean with the first term divided by N. The
    minimizer is computed when it is first needed, by Newton's method (docs/theory.md, section 12).

    Parameters
    ----------
    X : (N, n) array_like
        Inputs, one sample a row.
    Y : (N, m) or (N,) array_like
        Targets.
    delta : float
        The residual, > 0 and in the units of Y, from which on an entry counts as an outlier. Below some 1e-6 of the
        residuals the loss has hardly a curve left for Newton's method to follow: `minimizer_error` then is large.
    l2 : float
        Ridge penalty, > 0; not divided by N. Without one nothing far out is strongly convex.
    reduction : {"sum", "mean"}
        Whether the data term is summed over rows and columns or divided by N.
    offset : (n, m) array_like, optional
        A frozen matrix that W is added to.

    Attributes
    ----------
    minimizer_error, minimum_error : float
        How far `minimizer` may be from the true one, and `minimum` from l*.
    condition_number : float
        s_1(X) / s_r(X), r the rank.

    Raises
    ------
    TypeError, ValueError
        On anything but finite real matrices of fitting shapes and positive numbers; if squares of X, of delta, of Y in
        units of delta, or of the gradient leave float64.

    Examples
    --------
    >>> loss = PseudoHuberLoss([[2.0]], [[6.0]], delta=4.5, l2=1.0)
    >>> round(loss.K, 12), loss.mu
    (5.0, 1.0)
    >>> round(loss.value([[0.0]]), 12)      # 4.5^2 (sqrt(1 + (6 / 4.5)^2) - 1) = 4.5^2 (5 / 3 - 1)
    13.5

    """

    targets_name = "Y"

    def __init__(self, X: ArrayLike, Y: ArrayLike, *, delta: float, l2: float, reduction: Reduction = "sum",
                 offset: ArrayLike | None = None) -> None:
        X, Y = as_matrix("X", X), as_matrix("Y", Y, vector_as_column=True)
        self.delta = as_number("delta", delta, positive=True)
        if not 1 / HUGE < self.delta < HUGE:
            raise ValueError(f"delta: expected a number whose square is a float64 number, got {self.delta:.3g}; "
                             "rescale Y")
        greatest = float(abs(Y).max())
        if not greatest / self.delta < HUGE / max(Y.shape):
            raise ValueError("Y, delta: expected targets whose squares in units of delta are float64 numbers, got up "
                             f"to {greatest:.3g} and delta = {self.delta:.3g}; raise delta")
        # how many steps have been tried as they are; then, the delta that the minimizer is looked for with
        self._direct, self._widened = 0, None
        super().__init__(X, Y.copy(), l2=l2, reduction=reduction, offset=offset, curvature=1.0)
        # what rows pull with at W = 0, together
        pull = min(self.delta, greatest) * float(self._gram.tops.max()) * len(X)
        if not pull < HUGE:
            raise ValueError("X, Y: expected a gradient whose square is a float64 number, got one of up to "
                             f"{pull:.3g}; rescale X or Y")

    def _minimize(self, first, report):
        """Return the loss to second order near its minimizer, by a delta that falls where Newton's method is slow.

        A residual of many times delta has no curvature to speak of, and a step by it goes far beyond where it bends.
        """
        if self._widened is None:
            at = self._directly(first, report)
            greatest = float(abs(self._targets).max())
            # and beside what rounding does to residuals, such a delta is none
            if np.linalg.norm(at.gradient) <= 2 * at.rounding or self.delta < U * greatest:
                self._direct = 0
                return at
            first, self._widened = at.V, max(self.delta, greatest)
        while self._widened > self.delta:
            wide = object.__new__(type(self))
            vars(wide).update(vars(self), delta=self._widened)
            first = newton(wide, first, steps=STEPS, report=report, project=self._seen).V
            self._widened = max(self.delta, self._widened / FALL)
        zero = self.at(np.zeros(self.shape))
        at = newton(self, min(self.at(first), zero, key=lambda at: at.value).V, report=report, project=self._seen)
        self._direct, self._widened = 0, None
        # what it is known to, in units of 1 / mu: rounding may be less at 0
        return min(at, zero, key=lambda at: np.linalg.norm(at.gradient) + 2 * at.rounding)

    def _directly(self, first, report):
        """Return where so many steps come to, those of earlier calls counted, which were stopped."""
        def counted(V, norm):
            self._direct += 1
            report(V, norm)

        return newton(self, first, steps=max(DIRECT - self._direct, 0), report=counted, project=self._seen)

    def _compiled(self, at, W_star, **constants):
        # what the kernel stores of the residuals is off by rounding
        Z, T, n = at.outputs, self._targets, self.shape[0]
        outputs = np.concatenate([(n + 1) * U * (abs(self._X[rows]) @ abs(at.V)) for rows in pieces(self._X)])
        blur = np.linalg.norm(self._residuals_rounding(Z, T, outputs))
        return PseudoHuber(self._X, self._residuals(Z, T), W_star, delta=self.delta,
                           blur=self.delta * blur * (1 + 1e-6), **constants)

    def _residuals(self, Z, targets):
        """Return the residuals in units of delta."""
        return (Z - targets) / self.delta

    def _residuals_rounding(self, Z, targets, outputs):
        """Bound what rounding may have done to them, entry by entry: outputs, a difference, a quotient."""
        return outputs / self.delta + 3 * U * abs(self._residuals(Z, targets))

    def _derivatives(self, Z, targets):
        x = self._residuals(Z, targets)
        size, root = abs(x), np.hypot(1.0, x)
        return self.delta**2 * size * (size / (1 + root)), self.delta * (x / root), (1 / root) ** 3

    def _slopes_and_rounding(self, Z, targets, outputs):
        # the second derivative falls with |x|, and nowhere in reach of rounding is it above that at the least |x|
        _, slopes, _ = self._derivatives(Z, targets)
        off = self._residuals_rounding(Z, targets, outputs)
        steepest = (1 / np.hypot(1.0, np.maximum(abs(self._residuals(Z, targets)) - off, 0.0))) ** 3
        return slopes, self.delta * (steepest * off) + 8 * U * abs(slopes)

    def _evaluation_rounding(self, Z, losses):
        # a residual rounds by 3 u of itself, which moves a value by 6 u of that at most; and some roundings more
        return 16 * U * losses.sum()
