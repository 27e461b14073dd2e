/* The Cholesky factor of a small matrix: up to some size faster than any call. */

#ifndef LPLFAST_CHOLESKY_H
#define LPLFAST_CHOLESKY_H

#include "products.h"

/* With whole lanes in rows of their own: column j is subtracted from all later ones; its entries above the diagonal
   are 0 and change nothing. */
LPL_ANY_CPU int lpl_small_cholesky(int n, double* A) {
    double L[LPL_FEW_ROWS * LPL_FEW_ROWS], column[LPL_FEW_ROWS];
    ptrdiff_t i, j, l;
    for (i = 0; i < n; i++)
        for (l = 0; l < LPL_FEW_ROWS; l++)
            L[i * LPL_FEW_ROWS + l] = l <= i ? A[i * n + l] : 0.0;
    for (j = 0; j < n; j++) {
        double pivot = L[j * LPL_FEW_ROWS + j], inverse;
        if (!(pivot > 0.0))
            return (int) j + 1;
        pivot = sqrt(pivot);
        inverse = 1.0 / pivot;
        A[j * n + j] = pivot;
        for (i = 0; i < LPL_FEW_ROWS; i++)
            column[i] = 0.0;
        for (i = j + 1; i < n; i++)
            A[i * n + j] = column[i] = L[i * LPL_FEW_ROWS + j] * inverse;
        for (i = j + 1; i < n; i++)
            for (l = j / LPL_LANES * LPL_LANES; l <= i; l += LPL_LANES)
                LPL_PUT(L + i * LPL_FEW_ROWS + l) = (LPL_AT(L + i * LPL_FEW_ROWS + l)
                                                     - column[i] * LPL_AT(column + l));
    }
    return 0;
}

#endif
