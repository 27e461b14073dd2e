"""How narrow `Certified` keeps which bracket, and what that may cost: every tuned number, in one place.

None of these decides whether a bracket is right, only how wide it is and when it is renewed. Most parts are parts of
the tolerance; docs/theory.md, section 6.3, has the reasons at length and a table of the widths that come of them.
"""

cdef extern from *:
    """
    #define LPL_CLOSE 3.0
    #define LPL_LOOSE 10.0
    #define LPL_W_PART 0.25
    #define LPL_W_WIDTH 0.6
    #define LPL_WASTED 0.2
    #define LPL_TANGENT_FACTOR 4.0
    #define LPL_LONG 1.2
    #define LPL_CLOSEST 0.2
    #define LPL_FUTILE 1e-2
    #define LPL_SEVERAL 32.0
    #define LPL_SHARE 0.05
    #define LPL_HEADSTART 200.0
    #define LPL_MOST_IN_ADVANCE 1.2e9
    #define LPL_LEAST_STEP 4e5
    #define LPL_PROOF_FROM 2
    #define LPL_PROOF_WIDTH 0.125
    #define LPL_FRESH_WIDTH 1e-3
    """
    # How wide (6.3)
    # of s_max(T)^2 and ||G||_2, whatever renewals cost: the step size depends on them, so `upper_widths` promises it
    const double CLOSE "LPL_CLOSE"
    # of all others, where renewals have outspent their share: at n = m = 512 they would cost as much as the steps
    const double LOOSE "LPL_LOOSE"
    # of what s_max(W) adds to K_t: it is in a small term only
    const double W_PART "LPL_W_PART"
    # of s_max(W) beside its own upper end: it bounds how far the layers move; `upper_widths` promises this, too
    const double W_WIDTH "LPL_W_WIDTH"
    # of ||G||_2 and s_max(W), where that costs so many renewals of a least value a step: a fifth of what these take
    const double WASTED "LPL_WASTED"
    # of the lower bound on the tangent kernel (section 9): it is in the rates only
    const double TANGENT_FACTOR "LPL_TANGENT_FACTOR"
    # a step is long from this eta K s_max(T)^2 on: those of `Local` and its like stay below 1
    const double LONG "LPL_LONG"
    # of s_max(T)^2 where steps are long, as 2 - eta K_t is then small; if SEVERAL steps move the layers by less
    const double CLOSEST "LPL_CLOSEST"

    # Which least values are worth a renewal (6.3, and section 10 for what bounds the others)
    # not one below this part of what a step moves: one step later nothing would be left of it
    const double FUTILE "LPL_FUTILE"
    # until the layers have moved this many times what one step moves: it may have grown as much from a small start
    const double SEVERAL "LPL_SEVERAL"

    # What it may cost, in multiplications (6.3)
    # this part of what the steps cost: hardly seen in the time of a run
    const double SHARE "LPL_SHARE"
    # and of so many steps in advance, as brackets are renewed most often while the layers move fast, at the start
    const double HEADSTART "LPL_HEADSTART"
    # but of no more than this: their share takes some milliseconds
    const double MOST_IN_ADVANCE "LPL_MOST_IN_ADVANCE"
    # a step counts as this many at least: in small ones, overhead costs more than multiplications
    const double LEAST_STEP "LPL_LEAST_STEP"

    # How a bracket is renewed (6.2)
    # by proof from this many rows on: 1.2 times as fast as LAPACK at 4 rows, 2.4 at 20; a single row needs neither
    const int PROOF_FROM "LPL_PROOF_FROM"
    # of a bracket that has just been proved: the rest of what is allowed is left for drift
    const double PROOF_WIDTH "LPL_PROOF_WIDTH"
    # of s_min^2 from LAPACK's Gram matrix, else an SVD is taken: that costs more, but is exact
    const double FRESH_WIDTH "LPL_FRESH_WIDTH"
