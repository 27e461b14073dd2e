/* Products of matrices of some ten rows and columns, by fused multiply-adds that are asked for by name: where a call of
   BLAS takes as long to begin as to multiply.

   C = A @ B is made of tiles: R rows, of V registers each, are summed up in registers over the whole inner length. So
   an entry is the sum of its products, one after the other, wherever it is computed: tiles may overlap at the edges, and
   no bit depends on where they end, or on which of the two kinds of processor has made them. Of B.T, as it is stored,
   the columns of a tile are turned first. */

#ifndef LPLFAST_FUSED_H
#define LPLFAST_FUSED_H

#include "lanes.h"

/* the longest sum, where B has to be turned */
#define LPL_FUSED_LENGTH 256

#ifdef LPL_FUSED

#include <immintrin.h>

#define LPL_FOUR 4

/* Four rows of k numbers, as four columns with rows `apart`. */
__attribute__((target("avx2"), unused, always_inline))
static inline void lpl_turn_four(ptrdiff_t k, const double* B, ptrdiff_t apart, double* to) {
    ptrdiff_t next, l;
    for (next = 0; next < k; next += LPL_FOUR) {
        __m256d p, q, s, t, low, high, low2, high2;
        l = next + LPL_FOUR <= k ? next : k - LPL_FOUR;
        p = _mm256_loadu_pd(B + l);
        q = _mm256_loadu_pd(B + l + k);
        s = _mm256_loadu_pd(B + l + 2 * k);
        t = _mm256_loadu_pd(B + l + 3 * k);
        low = _mm256_unpacklo_pd(p, q);
        high = _mm256_unpackhi_pd(p, q);
        low2 = _mm256_unpacklo_pd(s, t);
        high2 = _mm256_unpackhi_pd(s, t);
        _mm256_storeu_pd(to + l * apart, _mm256_permute2f128_pd(low, low2, 0x20));
        _mm256_storeu_pd(to + (l + 1) * apart, _mm256_permute2f128_pd(high, high2, 0x20));
        _mm256_storeu_pd(to + (l + 2) * apart, _mm256_permute2f128_pd(low, low2, 0x31));
        _mm256_storeu_pd(to + (l + 3) * apart, _mm256_permute2f128_pd(high, high2, 0x31));
    }
}

/* R rows of C from row i on; entry l of row i of A is A[i * row + l * step] */
#define LPL_FUSED_TILE(R, V) { \
    const double* a = A + i * row; \
    const double* b = from; \
    double* c = C + i * m + j; \
    __m256d sum[R][V]; \
    for (r = 0; r < R; r++) \
        for (v = 0; v < V; v++) \
            sum[r][v] = _mm256_setzero_pd(); \
    for (l = 0; l < k; l++, a += step, b += apart) { \
        __m256d x[V]; \
        for (v = 0; v < V; v++) \
            x[v] = _mm256_loadu_pd(b + (v < V - 1 ? v * LPL_FOUR : b_last)); \
        for (r = 0; r < R; r++) { \
            __m256d factor = _mm256_set1_pd(a[r * row]); \
            for (v = 0; v < V; v++) \
                sum[r][v] = _mm256_fmadd_pd(factor, x[v], sum[r][v]); \
        } \
    } \
    for (r = 0; r < R; r++) \
        for (v = 0; v < V; v++) \
            _mm256_storeu_pd(c + r * m + (v < V - 1 ? v * LPL_FOUR : last), sum[r][v]); \
    }

/* All tiles of V registers: of four rows, or three, the last of which may be among those before, as may the last
   register. */
#define LPL_FUSED_TILES(V) \
    for (next = 0; next < registers; next += V) { \
        j = (next + V <= registers ? next : registers - V) * LPL_FOUR; \
        last = m - LPL_FOUR - j < (V - 1) * LPL_FOUR ? m - LPL_FOUR - j : (V - 1) * LPL_FOUR; \
        if (turned) { \
            for (v = 0; v < V; v++) \
                lpl_turn_four(k, B + (j + (v < V - 1 ? v * LPL_FOUR : last)) * k, V * LPL_FOUR, \
                              panel + v * LPL_FOUR); \
            from = panel; \
            apart = V * LPL_FOUR; \
            b_last = (V - 1) * LPL_FOUR; \
        } else { \
            from = B + j; \
            b_last = last; \
        } \
        for (done = 0; done < n; done += rows) { \
            rows = (n - done) % 4 ? 3 : 4; \
            i = done + rows <= n ? done : n - rows; \
            if (rows == 4) \
                LPL_FUSED_TILE(4, V) \
            else \
                LPL_FUSED_TILE(3, V) \
        } \
    }

/* How many registers there are in a row of a tile: as many as may be, or one or two less if there is less to be done
   twice then. */
LPL_INLINE int lpl_registers_of_a_tile(int registers, int most) {
    int V, best = most;
    if (registers <= most)
        return registers;
    for (V = most - 1; V > 0 && V > most - 3; V--)
        if ((registers + V - 1) / V * V < (registers + best - 1) / best * best)
            best = V;
    return best;
}

#define LPL_FUSED_PRODUCT(most, CASES) { \
    double panel[most * LPL_FOUR * LPL_FUSED_LENGTH]; \
    const double* from; \
    ptrdiff_t registers = (m + LPL_FOUR - 1) / LPL_FOUR, apart = m, rows, last, b_last, i, j, l, next, done; \
    int r, v; \
    switch (lpl_registers_of_a_tile((int) registers, most)) { CASES } \
    }

/* C = A @ B, or A @ B.T (`turned`): of at least three rows and four columns, and in the second case sums of at least four
   terms and at most LPL_FUSED_LENGTH. Thirty-two registers hold the sums of four times six of them, sixteen those of four
   times three. */
__attribute__((target("avx512f,avx512vl,avx2,fma"), unused))
static void lpl_fused_wide(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const double* A, ptrdiff_t row, ptrdiff_t step,
                           const double* B, int turned, double* C)
    LPL_FUSED_PRODUCT(6, case 1: LPL_FUSED_TILES(1) break; case 2: LPL_FUSED_TILES(2) break;
                      case 3: LPL_FUSED_TILES(3) break; case 4: LPL_FUSED_TILES(4) break;
                      case 5: LPL_FUSED_TILES(5) break; default: LPL_FUSED_TILES(6))

__attribute__((target("avx2,fma"), unused))
static void lpl_fused_half(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const double* A, ptrdiff_t row, ptrdiff_t step,
                           const double* B, int turned, double* C)
    LPL_FUSED_PRODUCT(3, case 1: LPL_FUSED_TILES(1) break; case 2: LPL_FUSED_TILES(2) break;
                      default: LPL_FUSED_TILES(3))

#endif

/* The same by the best that this processor has; 0 if it has no fused multiply-adds, and nothing has been done. */
LPL_INLINE int lpl_fused(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const double* A, ptrdiff_t row, ptrdiff_t step,
                         const double* B, int turned, double* C) {
#ifdef LPL_FUSED
    if (__builtin_cpu_supports("avx512vl")) {
        lpl_fused_wide(n, k, m, A, row, step, B, turned, C);
        return 1;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        lpl_fused_half(n, k, m, A, row, step, B, turned, C);
        return 1;
    }
#else
    (void) n, (void) k, (void) m, (void) A, (void) row, (void) step, (void) B, (void) turned, (void) C;
#endif
    return 0;
}

#endif
