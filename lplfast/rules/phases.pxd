"""Gap and drift under step sizes that are fixed beforehand, phase by phase. docs/theory.md, section 11.

All in units in which K = 1 and beta = 1 at the start: a step is `eta K beta`, a gap `gap / (K beta^2)`, a drift and the
eigenvalues of the imbalance are parts of beta, and so are singular values of W.
"""

# What is said of the steps: they are these numbers; or those of `Sharp` or `Local` with this cap, which may be
# infinite.
cdef enum Kind:
    FIXED
    SHARP
    LOCAL


# What is known before the first step.
cdef struct Start:
    bint quadratic
    double mu
    # singular values of the minimizer, how far it may be from where they are known, the same of H^(1/2) times it (a
    # negative one: not known), and what rounding may take of a difference as a part of a sum
    double least
    double greatest
    double error
    double data_least
    double data_greatest
    double slack
    # the eigenvalues of the imbalance, and for which layers p1 counts
    double top
    double bottom
    double nth
    double mth
    bint p1_for_W1
    bint p1_for_W2
    # by what parts of themselves a rule may overestimate s_max(T)^2 and s_max(W), and of beta, whatever they are
    double of_T
    double of_W
    double of_all
    # a PL constant for gaps of at most `gaps[i]`, ascending: `constants[i]`. Beyond the last one, and without any: mu
    Py_ssize_t known
    const double* gaps
    const double* constants


# Upper bounds where the run has come to.
cdef struct Phase:
    double gap
    double drift        # sum of eta^2 ||grad L||^2
    double later        # drift + weight gap
    double weight       # eta / (1 - eta K_t / 2) of the step before, infinite where that says nothing


# What follows for every network with this gap and this drift.
cdef struct Extent:
    double mu
    double A
    double B
    double p2
    double gamma        # ||G||_F
    double top          # at most s_max(T)^2


# What a step does there: the part of the gap that it takes, its weight, and how short and how long it may be.
cdef struct Effect:
    double gain
    double weight
    double least
    double most


# Steps min(best, share alpha / reference (reference / gap)^(quarters / 4)), of which `count` lead to the target.
cdef struct Plan:
    double length       # share alpha / reference
    double reference
    double quarters
    double count


cdef void first_phase(Phase* at, double gap, double drift) noexcept nogil
cdef double planned_step(const Start* start, const Phase* at, const Plan* plan) noexcept nogil
cdef bint advance(const Start* start, Phase* at, Kind kind, double eta, Extent* extent, Effect* effect) noexcept nogil
cdef double closing_gain(const Start* start, const Phase* at, Kind kind, double eta, Extent* extent, Effect* effect,
                         double* total) noexcept nogil
cdef void search_plan(const Start* start, const Phase* first, double target, double limit, Plan* best) noexcept nogil
