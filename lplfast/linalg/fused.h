/* Products of matrices of some ten rows and columns, by fused multiply-adds that are asked for by name: where a call of
   BLAS takes as long to begin as to multiply.

   C = A @ B is made of tiles: R rows, of V registers of eight and H of four each, are summed up in registers over the
   whole inner length. So an entry is the sum of its products, one after the other, wherever it is computed: tiles may
   overlap at the edges, and no bit depends on where they end, or on which of the two kinds of processor has made them. Of
   B.T, as it is stored, the columns of a tile are turned first. */

#ifndef LPLFAST_FUSED_H
#define LPLFAST_FUSED_H

#include <limits.h>

#include "lanes.h"

/* the longest sum, where B has to be turned, and so many numbers of B at a time: some 50 KB, about the cache next to the
   processor */
#define LPL_FUSED_LENGTH 256
#define LPL_FUSED_PANEL (24 * LPL_FUSED_LENGTH)

#ifdef LPL_FUSED

#include <immintrin.h>

#define LPL_FOUR 4

/* Four rows of k numbers, as four columns with rows `apart`. Halves of registers are put together as they are loaded,
   which is less work than to move them between registers. */
__attribute__((target("avx2"), unused, always_inline))
static inline void lpl_turn_four(ptrdiff_t k, const double* B, ptrdiff_t apart, double* to) {
    ptrdiff_t next, l;
    for (next = 0; next < k; next += LPL_FOUR) {
        const double* b;
        double* c;
        __m256d p, q, s, t;
        l = next + LPL_FOUR <= k ? next : k - LPL_FOUR;
        b = B + l;
        c = to + l * apart;
        p = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(b)), _mm_loadu_pd(b + 2 * k), 1);
        q = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(b + k)), _mm_loadu_pd(b + 3 * k), 1);
        s = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(b + 2)), _mm_loadu_pd(b + 2 * k + 2), 1);
        t = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(b + k + 2)), _mm_loadu_pd(b + 3 * k + 2), 1);
        _mm256_storeu_pd(c, _mm256_unpacklo_pd(p, q));
        _mm256_storeu_pd(c + apart, _mm256_unpackhi_pd(p, q));
        _mm256_storeu_pd(c + 2 * apart, _mm256_unpacklo_pd(s, t));
        _mm256_storeu_pd(c + 3 * apart, _mm256_unpackhi_pd(s, t));
    }
}

/* Where register v of V + H begins: the last one may be among those before. */
#define LPL_BEGINS(v, V, H, last) \
    ((v) == (V) + (H) - 1 ? (last) : LPL_FOUR * ((v) < (V) ? 2 * (v) : (V) + (v)))

/* R rows of C from row i on; entry l of row i of A is A[i * row + l * step]. Without registers of eight, nothing is left
   of what is said of them. */
#define LPL_FUSED_TILE(R, V, H) { \
    const double* a = A + i * row; \
    const double* b = from; \
    double* c = C + i * m + j; \
    __m512d sum[R][V + 1], x[V + 1], factor; \
    __m256d half[R][H + 1], y[H + 1], factor_of_half; \
    for (r = 0; r < R; r++) { \
        if (V) \
            for (v = 0; v < V; v++) \
                sum[r][v] = _mm512_setzero_pd(); \
        for (v = 0; v < H; v++) \
            half[r][v] = _mm256_setzero_pd(); \
    } \
    for (l = 0; l < k; l++, a += step, b += apart) { \
        if (V) \
            for (v = 0; v < V; v++) \
                x[v] = _mm512_loadu_pd(b + LPL_BEGINS(v, V, H, b_last)); \
        for (v = 0; v < H; v++) \
            y[v] = _mm256_loadu_pd(b + LPL_BEGINS(V + v, V, H, b_last)); \
        for (r = 0; r < R; r++) { \
            if (V) { \
                factor = _mm512_set1_pd(a[r * row]); \
                for (v = 0; v < V; v++) \
                    sum[r][v] = _mm512_fmadd_pd(factor, x[v], sum[r][v]); \
                factor_of_half = _mm512_castpd512_pd256(factor); \
            } else \
                factor_of_half = _mm256_set1_pd(a[r * row]); \
            for (v = 0; v < H; v++) \
                half[r][v] = _mm256_fmadd_pd(factor_of_half, y[v], half[r][v]); \
        } \
    } \
    for (r = 0; r < R; r++) { \
        if (V) \
            for (v = 0; v < V; v++) \
                _mm512_storeu_pd(c + r * m + LPL_BEGINS(v, V, H, last), sum[r][v]); \
        for (v = 0; v < H; v++) \
            _mm256_storeu_pd(c + r * m + LPL_BEGINS(V + v, V, H, last), half[r][v]); \
    } \
    }

/* All tiles of so many columns: of ten rows where that comes out even, or of eight, if their sums fit into registers (the
   more rows, the less often B is read), of four, or three, the last of which may be among those before. */
#define LPL_FUSED_TILES(V, H) { \
    const ptrdiff_t columns = LPL_FOUR * (2 * V + H), last_width = H ? LPL_FOUR : 2 * LPL_FOUR; \
    for (next = 0; next < m; next += columns) { \
        /* as many fours before the end as the tile has */ \
        j = next + columns <= fours * LPL_FOUR ? next : fours * LPL_FOUR - columns; \
        last = (m - j < columns ? m - j : columns) - last_width; \
        if (turned) { \
            b_last = columns - last_width; \
            for (v = 0; v < columns; v += LPL_FOUR) \
                lpl_turn_four(k, B + (j + v + (v < b_last ? 0 : last - b_last)) * k, columns, panel + v); \
            from = panel; \
            apart = columns; \
        } else { \
            from = B + j; \
            b_last = last; \
        } \
        for (done = 0; done < n; done += rows) { \
            rows = V + H < tall && (n - done) % 10 == 0 ? 10 : V + H <= tall && n - done >= 8 ? 8 \
                   : (n - done) % 4 ? 3 : 4; \
            i = done + rows <= n ? done : n - rows; \
            if (V + H < tall && rows == 10) \
                LPL_FUSED_TILE(10, V, H) \
            else if (V + H <= tall && rows == 8) \
                LPL_FUSED_TILE(8, V, H) \
            else if (rows == 4) \
                LPL_FUSED_TILE(4, V, H) \
            else \
                LPL_FUSED_TILE(3, V, H) \
        } \
    } }

/* How many fours of columns a tile has, with so many in a register: as many as may be, or less where fewer registers are
   filled in all then. A tile of one is the last choice: its sums wait for each other. */
LPL_INLINE int lpl_fours_of_a_tile(int fours, int most, int in_one) {
    int F, best = most, registers, least = INT_MAX;
    if (fours <= most)
        return fours;
    for (F = most; F > in_one; F--) {
        registers = (fours + F - 1) / F * ((F + in_one - 1) / in_one);
        if (registers < least) {
            least = registers;
            best = F;
        }
    }
    return best;
}

/* `tall`: of how many registers in a row a tile may have eight rows; of fewer, ten */
#define LPL_FUSED_PRODUCT(most, in_one, tall_, CASES) { \
    const int tall = tall_; \
    double panel[LPL_FUSED_PANEL]; \
    const double* from; \
    ptrdiff_t fours = (m + LPL_FOUR - 1) / LPL_FOUR, apart = m, rows, last, b_last, i, j, l, next, done; \
    int r, v, at_most = turned && most * LPL_FOUR * k > LPL_FUSED_PANEL ? (int) (LPL_FUSED_PANEL / (LPL_FOUR * k)) : most; \
    switch (lpl_fours_of_a_tile((int) fours, at_most, in_one)) { CASES } \
    }

/* C = A @ B, or A @ B.T (`turned`): of at least three rows and four columns, and in the second case sums of at least four
   terms and at most LPL_FUSED_LENGTH. Thirty-two registers hold the sums of four times six of them or of eight times
   three, sixteen those of four times three. */
__attribute__((target("avx512f,avx512vl,avx2,fma"), unused))
static void lpl_fused_wide(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const double* A, ptrdiff_t row, ptrdiff_t step,
                           const double* B, int turned, double* C)
    LPL_FUSED_PRODUCT(12, 2, 3, case 1: LPL_FUSED_TILES(0, 1) break;
                      /* of eight columns, which fewer would not fill */
                      case 2: if (m < 2 * LPL_FOUR) LPL_FUSED_TILES(0, 2) else LPL_FUSED_TILES(1, 0) break;
                      case 3: LPL_FUSED_TILES(1, 1) break; case 4: LPL_FUSED_TILES(2, 0) break;
                      case 5: LPL_FUSED_TILES(2, 1) break; case 6: LPL_FUSED_TILES(3, 0) break;
                      case 7: LPL_FUSED_TILES(3, 1) break; case 8: LPL_FUSED_TILES(4, 0) break;
                      case 9: LPL_FUSED_TILES(4, 1) break; case 10: LPL_FUSED_TILES(5, 0) break;
                      case 11: LPL_FUSED_TILES(5, 1) break; default: LPL_FUSED_TILES(6, 0))

__attribute__((target("avx2,fma"), unused))
static void lpl_fused_half(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const double* A, ptrdiff_t row, ptrdiff_t step,
                           const double* B, int turned, double* C)
    LPL_FUSED_PRODUCT(3, 1, 1, case 1: LPL_FUSED_TILES(0, 1) break; case 2: LPL_FUSED_TILES(0, 2) break;
                      default: LPL_FUSED_TILES(0, 3))

#endif

/* Whether this processor multiplies eight numbers in the time of four: Intel's do, and there OpenBLAS takes about as long
   to lay out the factors of some million multiplications as to multiply. */
LPL_INLINE int lpl_multiplies_eight(void) {
#ifdef LPL_FUSED
    return __builtin_cpu_is("intel") && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

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
