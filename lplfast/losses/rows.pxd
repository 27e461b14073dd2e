"""Losses of rows, eight rows at a time, in tiles: `rows.h` says what a tile is. D, R and `moves` = [A, C] are tiles.

docs/theory.md, section 12.
"""

from ..linalg.rounding cimport U    # and with it LPL_UNIT_ROUNDOFF

cdef extern from "losses/rows.h":
    cdef enum:
        TILE "LPL_TILE"             # rows of a tile
        SUMMARY "LPL_SUMMARY"       # what `summarize` keeps of a row

    # T = A of `rows` rows of m, row by row, as tiles, the last one filled up with 0; and back
    void to_tiles "lpl_to_tiles"(Py_ssize_t rows, int m, const double* A, double* T) noexcept nogil
    void from_tiles "lpl_from_tiles"(Py_ssize_t rows, int m, const double* T, double* A) noexcept nogil
    # to = D - eta A + eta^2 C
    void move_tiles "lpl_move_tiles"(Py_ssize_t tiles, int m, const double* D, double eta, const double* moves,
                                     double* to) noexcept nogil
    # (R * (2 eta C - A)).sum()
    double slope_of_tiles "lpl_slope_of_tiles"(Py_ssize_t tiles, int m, const double* R, double eta,
                                               const double* moves) noexcept nogil

    # Distributions over the m columns.
    # D = p - P, where logits that differ by D turn the probabilities P into p; return sum(log(sum(P exp(D))) - P @ D).
    # Unless it is NULL, `p` receives p. (D**2).sum() is added to `R_sq`, and to `off` what the sum may be off by where
    # the plain formula is used. `spare` is room for two tiles.
    double tilt "lpl_tilt"(Py_ssize_t tiles, int m, const double* logs, const double* P, double* D, double* p,
                           double* spare, double* R_sq, double* off) noexcept nogil
    # the largest range within a row of D; its variances under P are added to `bent`
    double spread_of_rows "lpl_spread"(Py_ssize_t tiles, int m, const double* P, const double* D,
                                       double* bent) noexcept nogil
    # what is remembered of rows for a ray; the sum of the variances of A under p
    double summarize "lpl_summarize"(Py_ssize_t tiles, int m, const double* p, const double* moves,
                                     double* summary) noexcept nogil
    # what rows exceed their tangents by at eta, at most, with probabilities off by the part rho
    double growth_of_rows "lpl_growth_of_rows"(Py_ssize_t tiles, const double* summary, double eta,
                                               double rho) noexcept nogil

    # The same of distributions over two values for each entry, with logits 0 and D: p and P are tiles of two columns.
    double spread_of_pairs "lpl_spread_of_pairs"(Py_ssize_t tiles, int m, const double* P, const double* D,
                                                 double* bent) noexcept nogil
    double bend_of_pairs "lpl_bend_of_pairs"(Py_ssize_t tiles, int m, const double* p,
                                             const double* moves) noexcept nogil
    double growth_of_pairs "lpl_growth_of_pairs"(Py_ssize_t tiles, int m, const double* p, const double* moves,
                                                 double eta, double rho) noexcept nogil
