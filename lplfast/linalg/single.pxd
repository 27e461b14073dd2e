"""Gram matrices and Cholesky factors in single precision, twice as fast: for what is not asked for more narrowly.

How far off they may be is known: docs/theory.md, section 6.2. What is handed over and what comes back is in double
precision all the same. Numbers are scaled by a power of two to about 1, so that no square overflows, and what
underflows is far below the roundoff.
"""

from libc.math cimport ldexp, logb

from .blocks cimport MANY_ROWS
from .rounding cimport U
from .team cimport Work, share
from .tiles cimport CUT

cdef extern from "linalg/single.h":
    """
    #define LPL_SINGLE 536870912.0
    """
    const int PANEL "LPL_PANEL"
    const int HALF "LPL_HALF"
    const int RUN "LPL_RUN"
    const int PIECE "LPL_PIECE"
    const int LOT "LPL_LOT"
    const int STRIP_ROWS "LPL_STRIP_ROWS"
    # the unit roundoff of single precision, in u
    const double SINGLE "LPL_SINGLE"
    void pack "lpl_pack"(int n, int k, const double* A, double scale, int p, float* panel) noexcept nogil
    void pack_columns "lpl_pack_columns"(int n, int k, const double* A, double scale, int p,
                                         float* panel) noexcept nogil
    void rows_of_gram "lpl_gram_rows"(int n, int k, const float* panels, double scale, int p, double* C) noexcept nogil
    void shifted_panel "lpl_shifted_panel"(int n, double sign, double shift, double scale, const double* A, int panel,
                                           float* F) noexcept nogil
    Py_ssize_t factor_diagonal "lpl_factor_diagonal"(int n, Py_ssize_t first, float* F) noexcept nogil
    void factor_panel "lpl_factor_panel"(int n, Py_ssize_t first, Py_ssize_t j, float* F) noexcept nogil
    double absolute_norm "lpl_absolute_norm"(int n, const float* F, float* sums) noexcept nogil
    void back_substitute "lpl_back_substitute"(int n, Py_ssize_t at, const float* F, double* x) noexcept nogil

# What is that small takes as long in double precision, and one row of panels more than it has to.
cdef enum:
    SINGLE_FROM = 32


# The smaller Gram matrix of A (n, k), as threads share it: panel by panel of the copy of A.T, or of A where that has
# more rows than columns.
cdef struct SingleGram:
    int n
    int k
    double scale
    const double* A
    float* panels
    double* C


# The factor of sign * (A - shift * I) with A (n, n), likewise; its rows are made in strips, of which one begins here.
cdef struct SingleFactor:
    int n
    double sign
    double shift
    double scale
    const double* A
    float* F
    Py_ssize_t first


cdef inline double power_of_two(double size) noexcept nogil:
    """A scale that takes numbers of this size to about 1."""
    return ldexp(1.0, -<int> logb(size))


cdef inline int panels_of(int n) noexcept nogil:
    return (n + PANEL - 1) // PANEL


cdef inline void each_panel(bint shared, int count, Work work, void* job) noexcept nogil:
    """Do what there is to do for each panel: shared out, where that pays."""
    cdef int p
    if shared:
        share(count, work, job)
        return
    for p in range(count):
        work(job, p)


cdef inline void pack_panel(void* job, int p) noexcept nogil:
    cdef const SingleGram* gram = <const SingleGram*> job
    cdef float* panel = gram.panels + <Py_ssize_t> PANEL * p * max(gram.n, gram.k)
    if gram.n <= gram.k:
        pack(gram.n, gram.k, gram.A, gram.scale, p, panel)
    else:
        pack_columns(gram.n, gram.k, gram.A, gram.scale, p, panel)


cdef inline void panel_of_gram(void* job, int p) noexcept nogil:
    cdef const SingleGram* gram = <const SingleGram*> job
    rows_of_gram(min(gram.n, gram.k), max(gram.n, gram.k), gram.panels, 1.0 / gram.scale / gram.scale, p, gram.C)


cdef inline double gram_units() noexcept nogil:
    """How many u of |A| |A|.T an entry of the Gram matrix is off by, and how many of ||A||_F^2 all of it, in norm: lots
    of the inner length are added up in double precision, each of them, in single precision, of pieces, and these of
    runs that are summed up by themselves."""
    return (RUN + PIECE // RUN + LOT + 1) * SINGLE


cdef inline void single_gram(int n, int k, const double* A, double size, float* panels, double* C) noexcept nogil:
    """C = the smaller of A @ A.T and A.T @ A with A (n, k) of about the norm `size`: the row-major upper triangle.
    `panels` has room for a copy of A with its shorter side filled up to whole panels."""
    cdef SingleGram gram
    cdef int smaller = min(n, k)
    cdef bint shared = <double> n * k * smaller >= CUT
    gram.n, gram.k, gram.A, gram.panels, gram.C = n, k, A, panels, C
    gram.scale = power_of_two(size)
    each_panel(shared, panels_of(smaller), pack_panel, &gram)
    each_panel(shared, panels_of(smaller), panel_of_gram, &gram)


cdef inline double factor_units(int n) noexcept nogil:
    """How many u of |R|.T |R| an entry of R.T @ R is off by, of the factor R that `single_factor` finds."""
    return (RUN + PIECE // RUN + (n + PIECE - 1) // PIECE + HALF + 5) * SINGLE


cdef inline void make_panel(void* job, int p) noexcept nogil:
    cdef const SingleFactor* factor = <const SingleFactor*> job
    # those with the most rows first
    p = panels_of(factor.n) - 1 - p
    shifted_panel(factor.n, factor.sign, factor.shift, factor.scale, factor.A, p, factor.F)


cdef inline void panel_of_factor(void* job, int p) noexcept nogil:
    cdef const SingleFactor* factor = <const SingleFactor*> job
    factor_panel(factor.n, factor.first, factor.first + STRIP_ROWS + <Py_ssize_t> PANEL * p, factor.F)


cdef inline Py_ssize_t single_factor(int n, double sign, double shift, double size, const double* A, double* work,
                                     double* norm) noexcept nogil:
    """The Cholesky factorization of sign * (A - shift * I), whose diagonal is at most `size`, with A (n, n) as
    `gram_rows` writes it: -1, and in `norm` a bound on || |R|.T |R| ||_2 of the factor; or the row at which it breaks
    down, those above being complete. `work` has room for half a matrix of n rows, filled up to whole panels, and three
    panels more."""
    cdef SingleFactor factor
    cdef Py_ssize_t broken
    cdef bint shared = n >= MANY_ROWS
    factor.n, factor.sign, factor.shift, factor.scale = n, sign, shift, power_of_two(size)
    factor.A, factor.F, factor.first = A, <float*> work, 0
    each_panel(shared, panels_of(n), make_panel, &factor)
    while factor.first < n:
        broken = factor_diagonal(n, factor.first, factor.F)
        if broken >= 0:
            return broken
        each_panel(shared, max(0, panels_of(n) - <int> (factor.first + STRIP_ROWS) // PANEL), panel_of_factor, &factor)
        factor.first += STRIP_ROWS
    # positive terms, of which a sum is off by some u a term
    norm[0] = absolute_norm(n, factor.F, factor.F + <Py_ssize_t> PANEL * PANEL * panels_of(n) * panels_of(n)) * (
        1.0 + (2.0 * n + 100) * SINGLE * U) / factor.scale
    return -1


cdef inline void single_direction(int n, Py_ssize_t at, const double* work, double* x) noexcept nogil:
    """An x with x.T H x <= 0, but for rounding, of the matrix H that `single_factor` has broken down on at that row."""
    cdef Py_ssize_t i
    back_substitute(n, at, <const float*> work, x)
    for i in range(at + 1, n):
        x[i] = 0.0
