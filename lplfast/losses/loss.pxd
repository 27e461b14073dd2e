"""Public: `cdef class MyLoss(Loss)` with its own `evaluate` and `options` trains in the compiled loop like any other.

What each method must do is said here, where it is declared; a class overrides those that it knows better.
"""

from libc.math cimport NAN


# What `evaluate` says. Where the loss is beyond float64, `loss` is NaN or infinite: the run then ends as an overflow.
cdef struct Value:
    double loss         # l(W)
    double gap          # l(W) - l*, without cancellation where the loss knows how; NaN if l* is unknown
    double gap_error    # what l(W) - l* may exceed `gap` by, l* being uncertain; if gap is NaN, may be
    # Bounds on what rounding inside `evaluate` may have done, beyond a few u of the value and of each entry of G; 0 if
    # nothing is said. They enter the allowances of every check: too small, and a check may fail that holds
    double rounding         # to the loss and the gap
    double gradient_error   # to G, in the Frobenius norm
    # ||W||_F^2 and ||G||_F^2 as computed, to sum_error(n m) u, where the loss has come by both; else NaN
    double W_sq
    double G_sq
    # of a loss without a global K, an upper bound on its curvature where W is off by what rounding does; else NaN
    double K
    # a number c with ||G||^2 >= 2 c (l(W) - l*) at this W, for a loss that knows one above mu; else NaN
    double pl


cdef inline void forget(Value* value) noexcept nogil:
    """What is known before a loss has said anything."""
    value.loss = value.gap = value.W_sq = value.G_sq = value.pl = value.K = NAN
    value.gap_error = value.rounding = value.gradient_error = 0.0


# Of the targets Y of a squared loss without ridge, ||X W - Y||_F^2 / 2, for the rules whose formulas speak of Y.
cdef struct TargetSummary:
    double least        # s_min(Y)
    double norm         # ||Y||_F
    double rank         # of Y


# The ray W(eta) = W - eta tau + eta^2 B that the product moves on from one iterate, as a rule hands it to a loss. A
# loss is shared by threads: what it knows of a ray is kept here, in memory of the caller.
cdef struct Ray:
    const double* W         # these four (n, m)
    const double* G
    const double* tau
    const double* B
    double loss             # l(W), and the gap there: NaN if l* is unknown
    double gap
    double a                # ||grad L||^2 = <G, tau>
    # NaN until a method has needed them
    double gB               # <G, B>
    double tt               # <tau, tau>, <tau, B>, <B, B>
    double tb
    double bb
    double ht               # <tau, H tau>, <tau, H B>, <B, H B> with the Hessian of a quadratic loss
    double hb
    double hh
    double* own             # ray_size() doubles of the loss's own
    const double* here      # what it keeps of W, `kept_size` doubles; NULL of a loss that keeps nothing
    double evaluations      # of l, and of its gradient, that were made along this ray
    double gradients


cdef class Loss:
    cdef readonly int n
    cdef readonly int m
    cdef readonly double mu
    cdef readonly double K
    cdef readonly double minimum

    # Whether `__init__` has been run to its end. A class that keeps arrays of its own fills them before it calls
    # Loss.__init__, or overrides this: what `__new__` alone has made is refused by it wherever it is handed over.
    cdef bint complete(self) noexcept
    cdef int check(self) except -1

    # Required, beside the property `options`.
    # Fill `value`, and unless it is NULL G with the (n, m) gradient, at the row-major W. `value` arrives forgotten.
    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil

    # Optional, with what is assumed of a loss that says nothing.
    # How many doubles `evaluate` works in: 0.
    cdef Py_ssize_t scratch(self) noexcept nogil
    # The Hessian of a loss that is quadratic, row by row: the (n,) positive factors of the rows of W, the same at every
    # W, exact to a few u, mu and K their extremes or beyond. NULL: not quadratic.
    cdef const double* curvature(self) noexcept nogil
    # How many threads of a team `evaluate` can use: 1.
    cdef int most_threads(self) noexcept nogil
    # Whether this is a squared loss without ridge; if so, fill `target`: False.
    cdef bint target(self, TargetSummary* target) noexcept nogil
    # l(W_old) - l(W), given both values (or gaps) as `evaluate` has them; `terms` receives the sum of the absolute
    # values that were added up, of which it is right to a few u. By default their difference, which cancels.
    cdef double decrease(self, const double* W_old, const double* W, double before, double after,
                         double* terms) noexcept nogil

    # Optional, too: what rules ask along a ray. A class that overrides one of them keeps what is said of the others.
    # How many doubles `own` has, at least one: room for W(eta) and for the gradient there.
    cdef Py_ssize_t ray_size(self) noexcept nogil
    # How many doubles a loss keeps of an iterate for the rays from it, and how many of these, the first ones, go from
    # iterate to iterate and are saved with the run; the others follow from them. None by default. What is kept is
    # the caller's, and begins as NaN, which is not known.
    cdef Py_ssize_t kept_size(self) noexcept nogil
    cdef Py_ssize_t carried_size(self) noexcept nogil
    # `evaluate` for a loss that keeps something: fill `here`. If `carried`, its first part has been filled, by `carry`
    # or from a saved run, and is what the loss is computed from; what that is off by goes into the bounds on rounding.
    cdef void evaluate_here(self, const double* W, Value* value, double* G, double* here, bint carried,
                            double* scratch) noexcept nogil
    # Fill the carried part of `here` where a step along the ray that `own` knows has led, from that `before` the step:
    # at the price of a sum. The product of the layers there is at most `slack` away from W(eta), in the Frobenius norm.
    # False where that is not possible: `own`[0] is NaN unless the ray was prepared, and may be then.
    cdef bint carry(self, const double* own, double eta, double slack, const double* before,
                    double* here) noexcept nogil
    # Called once for a ray of which the caller has filled in all from W to a, and own: nothing more is known.
    cdef void prepare(self, Ray* ray, double* scratch) noexcept nogil
    # l(W(eta)) - l(W); `rounding` receives what it may be off by, NaN where it is beyond float64. By `evaluate`.
    cdef double change(self, Ray* ray, double eta, double* rounding, double* scratch) noexcept nogil
    # The derivative of l(W(eta)), to the rounding of `evaluate`. By `evaluate`.
    cdef double slope(self, Ray* ray, double eta, double* scratch) noexcept nogil
    # A number that `change` is not above, but for some u of the terms that it is a sum of: of a quadratic loss `change`
    # itself, of others what K makes of it; one that knows better may only be lower. Infinite where squares have
    # underflowed.
    cdef double upper(self, Ray* ray, double eta, double* scratch) noexcept nogil
    # The first positive minimiser of `upper`; 0 where that is infinite.
    cdef double upper_minimiser(self, Ray* ray, double* scratch) noexcept nogil
    # Whether there is a formula for the first positive minimiser of l along the ray; `eta` receives it, or 0 where
    # squares have underflowed. There is one for quadratic losses.
    cdef bint minimiser(self, Ray* ray, double* eta, double* scratch) noexcept nogil
