/* Gram matrices and Cholesky factors in single precision: `single.pxd` says what each returns, and how it rounds. */

#ifndef LPLFAST_SINGLE_H
#define LPLFAST_SINGLE_H

#include "tile_sums.h"

/* So much of the inner length, a piece, is added up by itself; in a factor it is then subtracted. */
#define LPL_PIECE 64
/* So many pieces of a Gram matrix are added up before that goes on in double precision, which takes as long as a third of
   one. */
#define LPL_LOT 4
/* So many rows of a factor are made at a time: their square on the diagonal first, and what is right of it panel by
   panel. */
#define LPL_STRIP_ROWS (2 * LPL_PANEL)
#define LPL_WHOLE_PANELS(n) (((n) + LPL_PANEL - 1) / LPL_PANEL * LPL_PANEL)

/* Panel p of A.T, A (n, k) row by row, times `scale`: rows l of A[16 p + i, l]; of rows beyond A, 0 */
LPL_ANY_CPU void lpl_pack(int n, int k, const double* A, double scale, int p, float* panel) {
    ptrdiff_t i, l, c, rows = n - LPL_PANEL * p < LPL_PANEL ? n - LPL_PANEL * p : LPL_PANEL;
    A += (ptrdiff_t) LPL_PANEL * p * k;
    /* whole squares are turned in the cache: that takes half the time */
    for (l = 0; l + LPL_PANEL <= k && rows == LPL_PANEL; l += LPL_PANEL) {
        float square[LPL_PANEL][LPL_PANEL];
        for (i = 0; i < LPL_PANEL; i++)
            for (c = 0; c < LPL_PANEL; c++)
                square[i][c] = (float) (scale * A[i * k + l + c]);
        for (c = 0; c < LPL_PANEL; c++)
            for (i = 0; i < LPL_PANEL; i++)
                panel[(l + c) * LPL_PANEL + i] = square[i][c];
    }
    for (; l < k; l++)
        for (i = 0; i < LPL_PANEL; i++)
            panel[l * LPL_PANEL + i] = i < rows ? (float) (scale * A[i * k + l]) : 0.0f;
}

/* Likewise panel p of A itself: rows l of A[l, 16 p + i]; of columns beyond A, 0 */
LPL_ANY_CPU void lpl_pack_columns(int n, int k, const double* A, double scale, int p, float* panel) {
    ptrdiff_t i, l, columns = k - LPL_PANEL * p < LPL_PANEL ? k - LPL_PANEL * p : LPL_PANEL;
    A += (ptrdiff_t) LPL_PANEL * p;
    for (l = 0; l < n; l++, A += k, panel += LPL_PANEL)
        if (columns == LPL_PANEL)
            for (i = 0; i < LPL_PANEL; i++)
                panel[i] = (float) (scale * A[i]);
        else
            for (i = 0; i < LPL_PANEL; i++)
                panel[i] = i < columns ? (float) (scale * A[i]) : 0.0f;
}

/* C = scale * tile, or that added to it, of so many rows and columns */
LPL_INLINE void lpl_put_tile(ptrdiff_t rows, ptrdiff_t columns, int added, double scale, const float* tile,
                             ptrdiff_t apart, double* C) {
    ptrdiff_t r, c;
    /* whole ones are most of them: of a size that the compiler knows, and with nothing to be asked in between */
    if (rows == LPL_HALF && columns == LPL_PANEL && added)
        for (r = 0; r < LPL_HALF; r++)
            for (c = 0; c < LPL_PANEL; c++)
                C[r * apart + c] += scale * tile[r * LPL_PANEL + c];
    else if (rows == LPL_HALF && columns == LPL_PANEL)
        for (r = 0; r < LPL_HALF; r++)
            for (c = 0; c < LPL_PANEL; c++)
                C[r * apart + c] = scale * tile[r * LPL_PANEL + c];
    else
        for (r = 0; r < rows; r++)
            for (c = 0; c < columns; c++)
                C[r * apart + c] = (added ? C[r * apart + c] : 0.0) + scale * tile[r * LPL_PANEL + c];
}

/* Where a tile of eight rows from row i on begins that is in the panel of columns from j on, and how many columns it has:
   what is left of the diagonal there, or beyond n columns, is left out if that is half of it. */
LPL_INLINE ptrdiff_t lpl_tile_begins(ptrdiff_t i, ptrdiff_t j) {
    return i > j ? i - j : 0;
}
LPL_INLINE ptrdiff_t lpl_tile_columns(ptrdiff_t n, ptrdiff_t i, ptrdiff_t j) {
    return i > j || n - j <= LPL_HALF ? LPL_HALF : LPL_PANEL;
}

/* tile = the sums over `length` terms, piece by piece */
LPL_INLINE void lpl_sum_pieces(lpl_tile_sums sums, ptrdiff_t length, int columns, const float* a, const float* b,
                               float* tile) {
    float more[LPL_HALF * LPL_PANEL];
    ptrdiff_t piece, x;
    sums(length < LPL_PIECE ? length : LPL_PIECE, columns, a, b, tile);
    for (piece = LPL_PIECE; piece < length; piece += LPL_PIECE) {
        sums(length - piece < LPL_PIECE ? length - piece : LPL_PIECE, columns, a + piece * LPL_PANEL,
             b + piece * LPL_PANEL, more);
        for (x = 0; x < LPL_HALF * LPL_PANEL; x++)
            tile[x] += more[x];
    }
}

/* The rows of panel p of scale A @ A.T, from the panels of A.T, each of k rows: from that panel on to the right */
LPL_ANY_CPU void lpl_gram_rows(int n, int k, const float* panels, double scale, int p, double* C) {
    lpl_tile_sums sums = lpl_best_sums();
    ptrdiff_t first = (ptrdiff_t) LPL_PANEL * p, lot, i, j;
    for (lot = 0; lot < k; lot += LPL_LOT * LPL_PIECE) {
        ptrdiff_t length = k - lot < LPL_LOT * LPL_PIECE ? k - lot : LPL_LOT * LPL_PIECE;
        for (j = first; j < n; j += LPL_PANEL)
            for (i = first; i < n && i < first + LPL_PANEL; i += LPL_HALF) {
                ptrdiff_t left = j + lpl_tile_begins(i, j), columns = lpl_tile_columns(n, i, j);
                float tile[LPL_HALF * LPL_PANEL];
                lpl_sum_pieces(sums, length, (int) columns, panels + first * k + lot * LPL_PANEL + i - first,
                               panels + j * k + lot * LPL_PANEL + left - j, tile);
                lpl_put_tile(n - i < LPL_HALF ? n - i : LPL_HALF, n - left < columns ? n - left : columns,
                             lot > 0, scale, tile, n, C + i * n + left);
            }
    }
}

/* Panel p of sign * scale * (A - shift * I), A (n, n) as `gram_rows` writes it; beyond it, an identity */
LPL_ANY_CPU void lpl_shifted_panel(int n, double sign, double shift, double scale, const double* A, int panel,
                                   float* F) {
    ptrdiff_t size = LPL_WHOLE_PANELS(n), p = (ptrdiff_t) LPL_PANEL * panel, i, c;
    ptrdiff_t columns = n - p < LPL_PANEL ? n - p : LPL_PANEL, rows = p + columns;
    double factor = sign * scale;
    F += p * size;
    A += p;
    for (i = 0; i < rows; i++)
        if (columns == LPL_PANEL)
            for (c = 0; c < LPL_PANEL; c++)
                F[i * LPL_PANEL + c] = (float) (factor * A[i * n + c]);
        else
            for (c = 0; c < LPL_PANEL; c++)
                F[i * LPL_PANEL + c] = c < columns ? (float) (factor * A[i * n + c]) : 0.0f;
    for (; i < p + LPL_PANEL; i++)
        memset(F + i * LPL_PANEL, 0, LPL_PANEL * sizeof(float));
    for (i = p; i < p + LPL_PANEL; i++) {
        memset(F + i * LPL_PANEL, 0, (i - p) * sizeof(float));
        F[i * LPL_PANEL + i - p] = i < n ? (float) (factor * (A[i * n + i - p] - shift)) : 1.0f;
    }
}

/* Rows i to i + 7 of the panel b of columns from j on, less what the rows above take from them; a: the panel of the
   diagonal there */
LPL_INLINE void lpl_reduce(lpl_tile_sums sums, ptrdiff_t n, ptrdiff_t i, ptrdiff_t j, const float* a, float* b) {
    float tile[LPL_HALF * LPL_PANEL];
    ptrdiff_t columns = lpl_tile_columns(n, i, j), piece, first, r, c;
    b += lpl_tile_begins(i, j);
    for (piece = 0; piece < i; piece += LPL_PIECE) {
        sums(i - piece < LPL_PIECE ? i - piece : LPL_PIECE, (int) columns, a + piece * LPL_PANEL, b + piece * LPL_PANEL,
             tile);
        for (first = 0; first < columns; first += LPL_HALF)
            for (r = 0; r < LPL_HALF; r++)
                for (c = first; c < first + LPL_HALF; c++)
                    b[(i + r) * LPL_PANEL + c] -= tile[r * LPL_PANEL + c];
    }
}

/* Rows i to i + 7 of R in the panel of the diagonal, where those have been reduced, with 0 left of that; a row at which
   there is none, or -1 */
LPL_INLINE ptrdiff_t lpl_factor_square(ptrdiff_t i, float* panel) {
    ptrdiff_t half = i % LPL_PANEL, r, l, c;
    panel += i * LPL_PANEL + half;
    for (r = 0; r < LPL_HALF; r++) {
        float* row = panel + r * LPL_PANEL;
        float inverse;
        for (l = 0; l < r; l++)
            for (c = r; c < LPL_PANEL - half; c++)
                row[c] -= panel[l * LPL_PANEL + r] * panel[l * LPL_PANEL + c];
        if (!(row[r] > 0.0f))
            return i + r;
        row[r] = sqrtf(row[r]);
        inverse = 1.0f / row[r];
        for (c = r + 1; c < LPL_PANEL - half; c++)
            row[c] *= inverse;
        for (c = -half; c < r; c++)
            row[c] = 0.0f;
    }
    return -1;
}

/* Those of R in a panel b to the right of that, a */
LPL_INLINE void lpl_solve_rows(ptrdiff_t i, const float* a, float* b) {
    ptrdiff_t r, l, v;
    a += i * LPL_PANEL + i % LPL_PANEL;
    b += i * LPL_PANEL;
    for (v = 0; v < LPL_PANEL; v += LPL_SINGLES)
        for (r = 0; r < LPL_HALF; r++) {
            lpl_singles s = LPL_SINGLES_AT(b + r * LPL_PANEL + v);
            for (l = 0; l < r; l++)
                s -= a[l * LPL_PANEL + r] * LPL_SINGLES_AT(b + l * LPL_PANEL + v);
            LPL_PUT_SINGLES(b + r * LPL_PANEL + v) = s * (1.0f / a[r * LPL_PANEL + r]);
        }
}

/* The rows from `first` on of one strip of R, A = R.T @ R, in the panels of its square on the diagonal; a row at which
   there is none, or -1 */
LPL_ANY_CPU ptrdiff_t lpl_factor_diagonal(int n, ptrdiff_t first, float* F) {
    lpl_tile_sums sums = lpl_best_sums();
    ptrdiff_t size = LPL_WHOLE_PANELS(n), last = n - first < LPL_STRIP_ROWS ? n : first + LPL_STRIP_ROWS, i, j, at;
    for (i = first; i < last; i += LPL_HALF) {
        float* own = F + i / LPL_PANEL * LPL_PANEL * size;
        for (j = i / LPL_PANEL * LPL_PANEL; j < last; j += LPL_PANEL) {
            lpl_reduce(sums, n, i, j, own + i % LPL_PANEL, F + j * size);
            if (F + j * size != own)
                lpl_solve_rows(i, own, F + j * size);
            else if ((at = lpl_factor_square(i, own)) >= 0)
                return at;
        }
    }
    return -1;
}

/* Those rows in the panel whose first column is j, to the right of that */
LPL_ANY_CPU void lpl_factor_panel(int n, ptrdiff_t first, ptrdiff_t j, float* F) {
    lpl_tile_sums sums = lpl_best_sums();
    ptrdiff_t size = LPL_WHOLE_PANELS(n), i;
    for (i = first; i < first + LPL_STRIP_ROWS; i += LPL_HALF) {
        const float* own = F + i / LPL_PANEL * LPL_PANEL * size;
        lpl_reduce(sums, n, i, j, own + i % LPL_PANEL, F + j * size);
        lpl_solve_rows(i, own, F + j * size);
    }
}

/* The largest entry of |R|.T @ (|R| @ 1), of the first n columns of a factor; `sums` has room for a panel */
LPL_ANY_CPU double lpl_absolute_norm(int n, const float* F, float* sums) {
    ptrdiff_t size = LPL_WHOLE_PANELS(n), p, l, c, v;
    float largest = 0.0f;
    memset(sums, 0, size * LPL_PANEL * sizeof(float));
    for (p = 0; p < size; p += LPL_PANEL) {
        const float* panel = F + p * size;
        for (l = 0; l < (p + LPL_PANEL) * LPL_PANEL; l++)
            sums[l] += fabsf(panel[l]);
    }
    for (l = 0; l < size; l++) {
        float* s = sums + l * LPL_PANEL;
        for (c = 0; c < LPL_PANEL / 2; c++)
            s[c] += s[LPL_PANEL / 2 + c];
        sums[l] = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
    }
    for (p = 0; p < size; p += LPL_PANEL) {
        lpl_singles sum[LPL_SINGLE_PARTS] = {LPL_NOUGHT};
        float total[LPL_PANEL];
        const float* row = F + p * size;
        for (l = 0; l < p + LPL_PANEL; l++, row += LPL_PANEL)
            for (v = 0; v < LPL_SINGLE_PARTS; v++)
                sum[v] += sums[l] * LPL_ABSOLUTE(LPL_SINGLES_AT(row + v * LPL_SINGLES));
        for (v = 0; v < LPL_SINGLE_PARTS; v++)
            LPL_PUT_SINGLES(total + v * LPL_SINGLES) = sum[v];
        for (c = 0; c < LPL_PANEL && p + c < n; c++)
            largest = total[c] > largest ? total[c] : largest;
    }
    return largest;
}

/* With x[at] = 1, the x for which the rows above `at` of R @ x are 0: they are complete */
LPL_ANY_CPU void lpl_back_substitute(int n, ptrdiff_t at, const float* F, double* x) {
    ptrdiff_t size = LPL_WHOLE_PANELS(n), i, p, c;
    x[at] = 1.0;
    for (i = at - 1; i >= 0; i--) {
        ptrdiff_t own = i / LPL_PANEL * LPL_PANEL;
        double sum = 0.0;
        for (p = own; p <= at; p += LPL_PANEL) {
            const float* row = F + p * size + i * LPL_PANEL;
            for (c = p == own ? i - own + 1 : 0; c < LPL_PANEL && p + c <= at; c++)
                sum += row[c] * x[p + c];
        }
        x[i] = -sum / F[own * size + i * LPL_PANEL + i - own];
    }
}

#endif
