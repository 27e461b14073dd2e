/* Tiles of products in single precision: what `single.h` is made of.

   tile = sum over l of a[l, :8].T b[l, :columns], of rows of panels: sixteen columns, or eight, which takes half the
   time. LPL_RUN terms are added up before they are added to the total. Where the processor has fused multiply-adds they
   are asked for by name, as the compiler is to fuse nothing by itself: that is twice as fast, a rounding less, and other
   bits. They are the same in registers of either width, and there is no processor with the wider ones that has no other. */

#ifndef LPLFAST_TILE_SUMS_H
#define LPLFAST_TILE_SUMS_H

#include "lanes.h"

/* Sixteen columns side by side, a panel, row by row: so a product reads memory in one go. */
#define LPL_PANEL 16
#define LPL_RUN 8
/* rows of a tile: its sums stay in registers */
#define LPL_HALF 8

typedef void (*lpl_tile_sums)(ptrdiff_t length, int columns, const float* a, const float* b, float* tile);

/* Singles are in registers as wide as those of lanes: GCC keeps what is wider in memory, which took eight times as long
   with AVX2. Half a tile is of whole registers. */
#if LPL_LANES > 1
  #define LPL_SINGLES (LPL_LANES < 4 ? 2 * LPL_LANES : LPL_HALF)
  typedef float lpl_singles __attribute__((vector_size(4 * LPL_SINGLES), aligned(4), may_alias));
  typedef unsigned int lpl_single_bits __attribute__((vector_size(4 * LPL_SINGLES)));
  #define LPL_NOUGHT {0}
  #define LPL_ABSOLUTE(x) ((lpl_singles) ((lpl_single_bits) (x) & 0x7fffffffu))
#else
  #define LPL_SINGLES 1
  typedef float lpl_singles;
  #define LPL_NOUGHT 0
  #define LPL_ABSOLUTE(x) fabsf(x)
#endif
#define LPL_SINGLE_PARTS (LPL_PANEL / LPL_SINGLES)
#define LPL_SINGLES_AT(x) (*(const lpl_singles*) (x))
#define LPL_PUT_SINGLES(x) (*(lpl_singles*) (x))
#define LPL_RUN_END (length - start < LPL_RUN ? length : start + LPL_RUN)

LPL_ANY_CPU void lpl_sums_plain(ptrdiff_t length, int columns, const float* a, const float* b, float* tile) {
    ptrdiff_t v, r, l, start;
    for (v = 0; v < columns / LPL_SINGLES; v++) {
        lpl_singles sum[LPL_HALF] = {LPL_NOUGHT};
        for (start = 0; start < length; start += LPL_RUN) {
            lpl_singles run[LPL_HALF] = {LPL_NOUGHT};
            for (l = start; l < LPL_RUN_END; l++) {
                lpl_singles right = LPL_SINGLES_AT(b + l * LPL_PANEL + v * LPL_SINGLES);
                for (r = 0; r < LPL_HALF; r++)
                    run[r] += a[l * LPL_PANEL + r] * right;
            }
            for (r = 0; r < LPL_HALF; r++)
                sum[r] += run[r];
        }
        for (r = 0; r < LPL_HALF; r++)
            LPL_PUT_SINGLES(tile + r * LPL_PANEL + v * LPL_SINGLES) = sum[r];
    }
}

#ifdef LPL_FUSED

#include <immintrin.h>

__attribute__((target("avx2,fma"), unused))
static void lpl_half_sums(ptrdiff_t length, const float* a, const float* b, float* tile) {
    ptrdiff_t l, start;
    int r;
    for (r = 0; r < LPL_HALF; r++)
        _mm256_storeu_ps(tile + r * LPL_PANEL, _mm256_setzero_ps());
    for (start = 0; start < length; start += LPL_RUN) {
        __m256 run[LPL_HALF];
        for (r = 0; r < LPL_HALF; r++)
            run[r] = _mm256_setzero_ps();
        for (l = start; l < LPL_RUN_END; l++) {
            __m256 right = _mm256_loadu_ps(b + l * LPL_PANEL);
            for (r = 0; r < LPL_HALF; r++)
                run[r] = _mm256_fmadd_ps(_mm256_set1_ps(a[l * LPL_PANEL + r]), right, run[r]);
        }
        /* in memory, as there are sixteen registers */
        for (r = 0; r < LPL_HALF; r++)
            _mm256_storeu_ps(tile + r * LPL_PANEL, _mm256_add_ps(_mm256_loadu_ps(tile + r * LPL_PANEL), run[r]));
    }
}

/* four rows at a time: with eight, there would be as many loads as multiplications */
#define LPL_FEWER 4

__attribute__((target("avx2,fma"), unused))
static void lpl_sums_fused(ptrdiff_t length, int columns, const float* a, const float* b, float* tile) {
    ptrdiff_t l, start;
    int r, half;
    if (columns == LPL_HALF) {
        lpl_half_sums(length, a, b, tile);
        return;
    }
    for (half = 0; half < LPL_HALF; half += LPL_FEWER, a += LPL_FEWER, tile += LPL_FEWER * LPL_PANEL) {
        __m256 left[LPL_FEWER], right[LPL_FEWER];
        for (r = 0; r < LPL_FEWER; r++)
            left[r] = right[r] = _mm256_setzero_ps();
        for (start = 0; start < length; start += LPL_RUN) {
            __m256 p[LPL_FEWER], q[LPL_FEWER];
            for (r = 0; r < LPL_FEWER; r++)
                p[r] = q[r] = _mm256_setzero_ps();
            for (l = start; l < LPL_RUN_END; l++) {
                __m256 x = _mm256_loadu_ps(b + l * LPL_PANEL), y = _mm256_loadu_ps(b + l * LPL_PANEL + 8);
                for (r = 0; r < LPL_FEWER; r++) {
                    __m256 factor = _mm256_set1_ps(a[l * LPL_PANEL + r]);
                    p[r] = _mm256_fmadd_ps(factor, x, p[r]);
                    q[r] = _mm256_fmadd_ps(factor, y, q[r]);
                }
            }
            for (r = 0; r < LPL_FEWER; r++) {
                left[r] = _mm256_add_ps(left[r], p[r]);
                right[r] = _mm256_add_ps(right[r], q[r]);
            }
        }
        for (r = 0; r < LPL_FEWER; r++) {
            _mm256_storeu_ps(tile + r * LPL_PANEL, left[r]);
            _mm256_storeu_ps(tile + r * LPL_PANEL + 8, right[r]);
        }
    }
}

__attribute__((target("avx512f"), unused))
static void lpl_sums_wide(ptrdiff_t length, int columns, const float* a, const float* b, float* tile) {
    __m512 sum[LPL_HALF], run[LPL_HALF];
    ptrdiff_t l, start;
    int r;
    if (columns == LPL_HALF) {
        lpl_half_sums(length, a, b, tile);
        return;
    }
    /* unrolled, or GCC clears them in memory, all at once, which takes a tenth of all this */
    #pragma GCC unroll 8
    for (r = 0; r < LPL_HALF; r++)
        sum[r] = _mm512_setzero_ps();
    for (start = 0; start < length; start += LPL_RUN) {
        for (r = 0; r < LPL_HALF; r++)
            run[r] = _mm512_setzero_ps();
        for (l = start; l < LPL_RUN_END; l++) {
            __m512 right = _mm512_loadu_ps(b + l * LPL_PANEL);
            for (r = 0; r < LPL_HALF; r++)
                run[r] = _mm512_fmadd_ps(_mm512_set1_ps(a[l * LPL_PANEL + r]), right, run[r]);
        }
        for (r = 0; r < LPL_HALF; r++)
            sum[r] = _mm512_add_ps(sum[r], run[r]);
    }
    for (r = 0; r < LPL_HALF; r++)
        _mm512_storeu_ps(tile + r * LPL_PANEL, sum[r]);
}

#endif

/* The fastest that this processor has. */
LPL_INLINE lpl_tile_sums lpl_best_sums(void) {
#ifdef LPL_FUSED
    if (__builtin_cpu_supports("avx512f"))
        return lpl_sums_wide;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return lpl_sums_fused;
#endif
    return lpl_sums_plain;
}

#endif
