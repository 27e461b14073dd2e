/* Several doubles at a time: what `passes.h`, `products.h`, `cholesky.h` and `losses/rows.h` are written in.

   Lanes are as many as a register of the processor holds: GCC keeps what is wider in memory. No bit depends on how many
   there are, since sums are made of eight each, side by side, whatever lanes these eight are in (`LPL_PARTS`). A compiler
   without vector types gets the same source with one lane, and so does who defines LPL_LANES as 1. */

#ifndef LPLFAST_LANES_H
#define LPLFAST_LANES_H

#include <math.h>
#include <stddef.h>
#include <string.h>

/* GCC compiles for some kinds of processor, and the dynamic linker chooses when the program is loaded: glibc's can. Those
   with AVX-512 get its 32 registers, of half its width. A test that looks at the functions from outside says otherwise. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
  #if __GNUC__ >= 12
    #define LPL_CLONES "arch=x86-64-v4", "avx2", "default"
  #else
    #define LPL_CLONES "avx2", "default"
  #endif
#endif
/* Likewise where code names the instructions that it takes, and asks for them. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(LPL_ANY_CPU)
  #define LPL_FUSED
#endif
#if defined(LPL_ANY_CPU)
#elif defined(LPL_CLONES)
  #define LPL_ANY_CPU static __attribute__((unused, target_clones(LPL_CLONES)))
#elif defined(__GNUC__)
  #define LPL_ANY_CPU static __attribute__((unused))
#else
  #define LPL_ANY_CPU static
#endif

#ifndef LPL_LANES
  #if !defined(__GNUC__) && !defined(__clang__)
    #define LPL_LANES 1
  #elif defined(__AVX512F__)
    #define LPL_LANES 8
  #elif defined(__AVX__) || defined(LPL_CLONES)
    #define LPL_LANES 4
  #else
    #define LPL_LANES 2
  #endif
#endif

#if LPL_LANES > 1
  #ifndef __clang__
    /* how lanes are passed from function to function: here they are not, all that take some are inlined */
    #pragma GCC diagnostic ignored "-Wpsabi"
  #endif
  #define LPL_ZERO {0}
  typedef double lpl_lanes __attribute__((vector_size(8 * LPL_LANES), aligned(8), may_alias));
  typedef unsigned long long lpl_bits __attribute__((vector_size(8 * LPL_LANES), aligned(8), may_alias));
  #define LPL_INLINE static inline __attribute__((always_inline, unused))
  #define LPL_BITS(x) ((lpl_bits) (x))
  #define LPL_DOUBLES(bits) ((lpl_lanes) (bits))
  #define LPL_WHERE(condition) ((lpl_bits) (condition))
  #define LPL_LANE(x, i) (x)[i]
  #if defined(__has_builtin)
    #if __has_builtin(__builtin_shufflevector)
      #define LPL_PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
    #endif
  #endif
  #ifndef LPL_PICK
    #define LPL_PICK(a, b, ...) __builtin_shuffle(a, b, (lpl_bits) {__VA_ARGS__})
  #endif
#else
  #define LPL_ZERO 0
  typedef double lpl_lanes;
  typedef unsigned long long lpl_bits;
  #define LPL_INLINE static inline
  LPL_INLINE lpl_bits LPL_BITS(double x) { lpl_bits bits; memcpy(&bits, &x, sizeof bits); return bits; }
  LPL_INLINE double LPL_DOUBLES(lpl_bits bits) { double x; memcpy(&x, &bits, sizeof x); return x; }
  #define LPL_WHERE(condition) (0 - (lpl_bits) (condition))
  #define LPL_LANE(x, i) (x)
#endif
#define LPL_MAGNITUDE(x) LPL_DOUBLES(LPL_BITS(x) & 0x7fffffffffffffffULL)
/* one of two, lane by lane: no branch, and both have been computed */
#define LPL_CHOOSE(condition, a, b) \
    LPL_DOUBLES((LPL_WHERE(condition) & LPL_BITS(a)) | (~LPL_WHERE(condition) & LPL_BITS(b)))
#define LPL_AT(x) (*(const lpl_lanes*) (x))
#define LPL_PUT(x) (*(lpl_lanes*) (x))

/* eight sums, in so many lanes */
#define LPL_EIGHT 8
#define LPL_PARTS (LPL_EIGHT / LPL_LANES)

/* ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)) of the eight sums in `s`, of each of LPL_LANES such `s` */
#if LPL_LANES == 8
  #define LPL_HALVES(a, b) (LPL_PICK(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + LPL_PICK(a, b, 4, 5, 6, 7, 12, 13, 14, 15))
  #define LPL_QUARTERS(a, b) (LPL_PICK(a, b, 0, 1, 4, 5, 8, 9, 12, 13) + LPL_PICK(a, b, 2, 3, 6, 7, 10, 11, 14, 15))
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    lpl_lanes p = LPL_QUARTERS(LPL_HALVES(s[0][0], s[1][0]), LPL_HALVES(s[2][0], s[3][0]));
    lpl_lanes q = LPL_QUARTERS(LPL_HALVES(s[4][0], s[5][0]), LPL_HALVES(s[6][0], s[7][0]));
    return LPL_PICK(p, q, 0, 2, 4, 6, 8, 10, 12, 14) + LPL_PICK(p, q, 1, 3, 5, 7, 9, 11, 13, 15);
}
#elif LPL_LANES == 4
  #define LPL_HALVES(a, b) (LPL_PICK(a, b, 0, 1, 4, 5) + LPL_PICK(a, b, 2, 3, 6, 7))
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    lpl_lanes p = LPL_HALVES(s[0][0] + s[0][1], s[1][0] + s[1][1]);
    lpl_lanes q = LPL_HALVES(s[2][0] + s[2][1], s[3][0] + s[3][1]);
    return LPL_PICK(p, q, 0, 2, 4, 6) + LPL_PICK(p, q, 1, 3, 5, 7);
}
#elif LPL_LANES == 2
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    lpl_lanes p = (s[0][0] + s[0][2]) + (s[0][1] + s[0][3]), q = (s[1][0] + s[1][2]) + (s[1][1] + s[1][3]);
    return LPL_PICK(p, q, 0, 2) + LPL_PICK(p, q, 1, 3);
}
#else
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    return ((s[0][0] + s[0][4]) + (s[0][2] + s[0][6])) + ((s[0][1] + s[0][5]) + (s[0][3] + s[0][7]));
}
#endif

/* of one */
LPL_INLINE double lpl_add_up(const lpl_lanes s[LPL_PARTS]) {
#if LPL_LANES == 8
    return (((s[0][0] + s[0][4]) + (s[0][2] + s[0][6])) + ((s[0][1] + s[0][5]) + (s[0][3] + s[0][7])));
#elif LPL_LANES == 4
    lpl_lanes h = s[0] + s[1];
    return (h[0] + h[2]) + (h[1] + h[3]);
#elif LPL_LANES == 2
    lpl_lanes h = (s[0] + s[2]) + (s[1] + s[3]);
    return h[0] + h[1];
#else
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
#endif
}

#endif
