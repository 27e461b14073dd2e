"""Gram matrices and Cholesky factors in single precision, twice as fast: for what is not asked for more narrowly.

How far off they may be is known before they are computed: docs/theory.md, section 6.2. What is handed over and what
comes back is in double precision all the same. Numbers are scaled by a power of two to about 1, so that no square
overflows, and what underflows is far below the roundoff.
"""

from libc.math cimport ldexp, logb

from .team cimport share
from .tiles cimport CUT

cdef extern from "linalg/single.h":
    """
    #define LPL_SINGLE 536870912.0
    """
    const int PANEL "LPL_PANEL"
    const int GRAM_RUN "LPL_GRAM_RUN"
    const int FACTOR_RUN "LPL_FACTOR_RUN"
    const int PIECE "LPL_PIECE"
    # the unit roundoff of single precision, in u
    const double SINGLE "LPL_SINGLE"
    void pack "lpl_pack"(int n, int k, const double* A, double scale, int p, float* panel) noexcept nogil
    void rows_of_gram "lpl_gram_rows"(int n, int k, const float* panels, double scale, int p, double* C) noexcept nogil
    void shifted_panels "lpl_shifted_panels"(int n, double sign, double shift, double scale, const double* A,
                                             float* F) noexcept nogil
    bint single_cholesky "lpl_cholesky_single"(int n, float* F) noexcept nogil

# What is that small takes as long in double precision, and one row of panels more than it has to.
cdef enum:
    SINGLE_FROM = 32


# The Gram matrix of A (n, k), as threads share it: panel by panel of the copy of A.T.
cdef struct SingleGram:
    int n
    int k
    double scale
    const double* A
    float* panels
    double* C


cdef inline double power_of_two(double size) noexcept nogil:
    """A scale that takes numbers of this size to about 1."""
    return ldexp(1.0, -<int> logb(size))


cdef inline void pack_panel(void* job, int p) noexcept nogil:
    cdef const SingleGram* gram = <const SingleGram*> job
    pack(gram.n, gram.k, gram.A, gram.scale, p, gram.panels + <Py_ssize_t> PANEL * p * gram.k)


cdef inline void panel_of_gram(void* job, int p) noexcept nogil:
    cdef const SingleGram* gram = <const SingleGram*> job
    rows_of_gram(gram.n, gram.k, gram.panels, 1.0 / gram.scale / gram.scale, p, gram.C)


cdef inline double gram_units() noexcept nogil:
    """How many u of ||A||_F^2 the Gram matrix is off by, in norm: pieces of the inner length are added up in double
    precision, each of them, in single precision, of runs that are summed up by themselves."""
    return (GRAM_RUN + PIECE // GRAM_RUN + 2) * SINGLE


cdef inline void single_gram(int n, int k, const double* A, double size, float* panels, double* C) noexcept nogil:
    """C = A @ A.T with A (n, k) of about the norm `size`: the row-major upper triangle. `panels` has room for a copy
    of A with its rows filled up to whole panels."""
    cdef SingleGram gram
    cdef int p, count = (n + PANEL - 1) // PANEL
    gram.n, gram.k, gram.A, gram.panels, gram.C = n, k, A, panels, C
    gram.scale = power_of_two(size)
    if <double> n * n * k >= CUT:
        share(count, pack_panel, &gram)
        share(count, panel_of_gram, &gram)
        return
    for p in range(count):
        pack_panel(&gram, p)
    for p in range(count):
        panel_of_gram(&gram, p)


cdef inline double factor_units(int n) noexcept nogil:
    """How many u of |R|.T |R| an entry of R.T @ R is off by, of the factor R that `single_factor` finds."""
    return (FACTOR_RUN + (n + FACTOR_RUN - 1) // FACTOR_RUN + PANEL // 2 + 5) * SINGLE


cdef inline bint single_factor(int n, double sign, double shift, double size, const double* A,
                               double* work) noexcept nogil:
    """Whether the Cholesky factorization of sign * (A - shift * I), whose diagonal is at most `size`, completes, with
    A (n, n) as `gram_rows` writes it; `work` has room for half a matrix of n rows, filled up to whole panels."""
    shifted_panels(n, sign, shift, power_of_two(size), A, <float*> work)
    return single_cholesky(n, <float*> work)
