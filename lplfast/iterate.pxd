"""What is known at one iterate, and what a run carries from one iterate to the next.

The kernels hold the network as one stack `Z = [W1; W2.T]` of shape (n + m, k), row-major: both layers
are then (rows, k) matrices that the same code serves, and a gradient step is `Z - eta * [g1; g2.T]`.
Symbols are those of docs/theory.md, section 1; allowances for rounding those of section 7.
"""

from libc.math cimport sqrt

from .linalg.rounding cimport U, sum_error

cdef enum:
    RULE_MEMORY = 24
    VIEW_MEMORY = 8         # of it, what a rule in Python sees

# Why a rule found no step: `lplfast.run.outcome` has the sentences.
cdef enum:
    NO_FAILURE
    TOO_MANY_BACKTRACKS
    BELOW_ROUNDING
    BOUND_VACUOUS
    NOT_A_STEP


cdef struct Bracket:
    double lo
    double hi


# One end of a bracket: the bound when it was last computed, and how far the matrix and its Gram matrix moved since.
# The bounds of a layer are on a squared singular value, for which either may be the better; those of W and G are on the
# singular value itself, and leave `gram_drift` at 0.
cdef struct TrackedBound:
    double bound
    double gram_drift       # sum of ||A_new A_new.T - A A.T||_2 over the steps, rounded up
    double matrix_path      # sum of ||A_new - A||_2, rounded up


# An extreme singular value: both ends of a bracket as computed, and the bracket that follows from what has moved.
cdef struct TrackedExtreme:
    TrackedBound lower
    TrackedBound upper
    Bracket now


# The extreme squared singular values of one layer.
cdef struct LayerExtremes:
    TrackedExtreme min_sq
    TrackedExtreme max_sq


# The extreme eigenvalues of the tangent kernel of a quadratic loss, each at its last computation: below the least,
# above the greatest, and below the greatest; how far the Gram matrices of both layers have moved since, and what they
# were safely above then.
cdef struct Tangent:
    double lo
    double hi
    double hi_from_below
    double lower_drift  # since `lo` was computed
    double upper_drift  # since `hi` and `hi_from_below` were
    double least        # s_n(W1)^2 + p, the p of W2.T W2 that `lo` was computed with: its smallest
    double most         # likewise, the p of `hi`: its largest


# The lower bound on s_min(T)^2 that follows from the imbalance of the layers: whether it has been computed, what it was
# then, and by how much it may have fallen since.
cdef struct Imbalance:
    double found
    double bound
    double drift


# One inequality, checked at every step.
cdef struct Check:
    double steps            # how many times it was checked
    double violations       # how many times the slack was below minus the rounding allowance
    double uninformative    # how many times the allowance was above the slack
    double smallest         # the smallest slack
    double smallest_at      # the iteration of the smallest slack


cdef inline Py_ssize_t directions_size(int n, int m) noexcept nogil:
    return 4 * <Py_ssize_t> n + 2 * <Py_ssize_t> m + 2 * <Py_ssize_t> min(n, m)


# All that a continued run needs beside the layers; doubles only, so that it is saved as an array.
cdef struct Memory:
    double t                # the iteration
    double seconds          # time spent in the loop so far
    double gap_0            # the gap at t = 0
    double gap_bound        # gap_0 times the guaranteed contractions so far
    double eta              # the last step taken, 0 before the first
    double redone           # steps taken back and redone with exact singular values
    double renewals         # brackets computed anew: of the layers, W, G, and the tangent kernel
    double eigenproblems    # calls of LAPACK for eigenvalues or singular values
    double evaluations      # of the loss
    double gradients        # of the loss
    double backtracks       # steps that a search tried and turned down
    double bound_error      # what rounding may have taken from gap <= gap_bound in all steps so far
    double rounding_so_far  # the sum of what it may have taken from each step's rate
    double imbalance_drift  # sum of eta^2 ||grad L||^2, rounded up: how far the imbalance can have moved
    double narrow           # iterates at which every bracket was within the tolerance
    double spent            # multiplications that went into renewals
    LayerExtremes layer1
    LayerExtremes layer2
    TrackedExtreme W_max           # s_max(W)
    TrackedExtreme G_max           # ||G||_2
    Tangent tangent
    Imbalance imbalance
    Check pl
    Check descent
    Check rate
    Check drift
    Check bound
    double grad_0           # the norm of the gradient of both layers at t = 0
    double[RULE_MEMORY] rule    # a rule's own; zeros at t = 0


# The fields in groups, by who writes them: each is complete before the next begins, at every iterate anew.
cdef struct Iterate:
    # --- State, once a run ------------------------------------------------------------------------------------------
    # shapes: W1 (n, k), W2t = W2.T (m, k), W and G (n, m), g1 like W1, g2t like W2t
    int n
    int k
    int m
    # the constants of the loss; if it is a quadratic, the (n,) diagonal of its Hessian and the same for each entry of
    # W, (n, m), else NULL
    double mu
    double K
    # of a loss without a global K, `K` is written by evaluate: it then bounds the curvature near the iterate only
    bint K_is_local
    const double* hessian
    double* weights
    # where the layers are in another frame than the loss, W = turn.T @ W1 @ W2: the orthogonal matrix, (n, n), and room
    # for a matrix of n rows; else NULL
    const double* turn
    double* turned
    Memory* memory
    # of a squared loss, how far above l* the least value over products of this width is, and what that may be off by;
    # 0 where every W is reached or it is not known
    double unreached
    double unreached_error
    # where iteration for an extreme eigenvector starts: W1 W1.T (greatest, least), W2.T W2 (likewise), W, G, the
    # tangent kernel (least, greatest); Spectral writes into it
    double* directions

    # --- Descent._move, with a step: which of two arrays hold what --------------------------------------------------
    double* W1
    double* W2t
    double* g1
    double* g2t
    double* g_old       # [g1; g2t] one step ago, for the rules that ask for it; zeros at t = 0
    double* W
    double* G
    double* W_old       # W and G one step ago
    double* G_old
    # Frobenius norms, as computed; a step has them for nothing
    double W1_norm
    double W2_norm

    # --- evaluate and layer_gradients: the loss here, and what rounding may have done to it -------------------------
    # gap = loss - minimum (NaN if the minimum is unknown), which gap_error may have to be added to; at
    # floor = K eps_W^2 or below, the rounding of W1 W2 alone could be the whole gap
    double loss
    double gap
    double gap_error
    double pl           # ||grad l(W)||^2 >= 2 pl gap here: mu, or what the loss knows better
    double floor
    double eps_W        # ||computed W - exact W1 W2||_F is at most this
    # what rounding inside the loss may have done to its value, and to G at the computed W; and how far G may be from
    # the gradient at W1 W2: gradient_error + K eps_W
    double rounding
    double gradient_error
    double G_error
    double lost         # what underflow may have taken from the loss: by its size alone
    # Frobenius norms, as computed, but G_norm, which is an upper bound; grad_sq = ||g1||^2 + ||g2||^2
    double W_norm
    double G_norm
    double g1_norm
    double g2_norm
    double grad_sq

    # --- Spectral: what the step before has moved, and brackets of singular values here -----------------------------
    # at most, in the spectral norm: W1 W2, and the Gram matrices of both layers together
    double product_step
    double gram_step
    # s_min(T)^2 = s_min(W1)^2 + s_min(W2)^2 and s_max(T)^2, s_max(W), ||G||_2
    Bracket sigma_min_sq
    Bracket sigma_max_sq
    Bracket sigma_max_W
    Bracket G_max
    # how much K_t grows with s_max(W), as a part of its first two terms
    double K_t_share_of_sigma_max_W
    # the tangent kernel of a quadratic loss: lo is below its spectrum, hi above; hi is NaN for other losses, and lo
    # the local PL constant pl s_min(T)^2
    Bracket nu
    double nu_hi_from_below     # a lower bound on its greatest eigenvalue; NaN for other losses

    # --- Descent._prepare_ray and Rule.choose: where a step leads, and which one is taken ---------------------------
    # for the rules that ask for it, the ray W - eta tau + eta^2 B along which the product moves, else NULL
    double* tau
    double* B
    # what the loss keeps of that ray, of this iterate and of the one before the step; NULL where no rule looks along it
    double* own
    double* here
    double* here_old
    # the step size, set by the rule, and where a search fails, why
    double eta
    int failure


cdef inline double turn_units(const Iterate* it) noexcept nogil:
    """How many u of its norm a matrix of n rows is off by after a product with `turn`: gamma_n || |turn| ||_2, which is
    at most sqrt(n); 0 where there is none."""
    return 0.0 if it.turn == NULL else (it.n + 4.0) * sqrt(it.n)


cdef inline double gap_tolerance(Iterate* it) noexcept nogil:
    """What rounding in W1 W2 and in the loss may have done to its value: ||G|| eps_W + K eps_W^2 / 2 + rounding."""
    return it.G_norm * it.eps_W + 0.5 * it.floor + it.rounding + it.lost


cdef inline double excess(Iterate* it) noexcept nogil:
    """The gap above what a network of this width can reach: the gap itself, if that is all or not known."""
    return it.gap - it.unreached if it.unreached > 0.0 else it.gap


cdef inline double excess_tolerance(Iterate* it) noexcept nogil:
    """What rounding may have done to `excess` where it is less than the gap."""
    return (gap_tolerance(it) + 2.0 * it.gap_error + it.rounding + it.unreached_error
            + (sum_error(<Py_ssize_t> it.n * it.m) + 8.0) * U * it.gap)


cdef inline double gap_above(Iterate* it) noexcept nogil:
    """An upper bound on the gap of the stored layers, rounding included; NaN if not even a lower bound of l* is known.
    """
    cdef double gap = it.gap
    if gap != gap and it.gap_error > 0.0:
        # gap_error is then the distance to a lower bound of l*
        gap = 0.0
    return gap * (1.0 + (sum_error(<Py_ssize_t> it.n * it.m) + 8.0) * U) + it.gap_error + gap_tolerance(it)
