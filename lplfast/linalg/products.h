/* Products of small matrices, row by row: up to some size faster than any call. */

#ifndef LPLFAST_PRODUCTS_H
#define LPLFAST_PRODUCTS_H

#include "lanes.h"

/* Below this many rows symmetric matrices are worked on in plain loops, too: about as fast, and OpenBLAS takes a lock
   in each of these calls, in which two threads of small problems would meet. */
#define LPL_FEW_ROWS 24

LPL_ANY_CPU void lpl_small_nt(int n, int k, int m, const double* A, const double* B, double* C) {
    ptrdiff_t i, j, l;
    for (i = 0; i < n; i++, A += k)
        for (j = 0; j < m; j++) {
            const double* b = B + j * k;
            double sum = 0.0;
            lpl_lanes s = {0};
            for (l = 0; l + LPL_LANES <= k; l += LPL_LANES)
                s += LPL_AT(A + l) * LPL_AT(b + l);
            for (; l < k; l++)
                sum += A[l] * b[l];
            *C++ = sum + LPL_ADD_UP(s);
        }
}

/* C = A @ B, where row i of A begins at A + i * row and has its entries `step` apart; the last lanes may overlap */
#define LPL_SMALL(row, step) \
    ptrdiff_t i, j, l, last; \
    for (i = 0; i < n; i++, A += row, C += m) { \
        for (j = 0; j < m && m >= LPL_LANES; j += LPL_LANES) { \
            lpl_lanes s = {0}; \
            last = j + LPL_LANES <= m ? j : m - LPL_LANES; \
            for (l = 0; l < k; l++) \
                s += A[l * (step)] * LPL_AT(B + l * m + last); \
            LPL_PUT(C + last) = s; \
        } \
        for (; j < m; j++) { \
            double sum = 0.0; \
            for (l = 0; l < k; l++) \
                sum += A[l * (step)] * B[l * m + j]; \
            C[j] = sum; \
        } \
    }

LPL_ANY_CPU void lpl_small_nn(int n, int k, int m, const double* A, const double* B, double* C) { LPL_SMALL(k, 1) }

LPL_ANY_CPU void lpl_small_tn(int n, int k, int m, const double* A, const double* B, double* C) { LPL_SMALL(1, n) }

#endif
