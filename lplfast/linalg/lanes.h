/* Several doubles at a time: what `passes.h`, `products.h`, `cholesky.h` and `losses/rows.h` are written in.

   Lanes are as many as a register of the processor holds: GCC keeps what is wider in memory. No bit depends on how many
   there are, since sums are made of eight each, side by side, whatever lanes these eight are in (`LPL_PARTS`). A compiler
   without vector types gets the same source with one lane, and so does who defines LPL_LANES as 1.

   One kernel for several processors: either the compiler clones it (LPL_ANY_CPU), in four lanes, or it is compiled once
   for each number of lanes (LPL_KERNEL, `kinds.h`): long passes gain by eight. */

#ifndef LPLFAST_LANES_H
#define LPLFAST_LANES_H

#include <math.h>
#include <stddef.h>
#include <string.h>

/* GCC compiles for some kinds of processor, and the dynamic linker chooses when the program is loaded: glibc's can. Of
   clones, those with AVX-512 get its 32 registers, of half its width. A test that looks at the functions from outside says
   otherwise. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
  #if __GNUC__ >= 12
    #define LPL_CLONES "arch=x86-64-v4", "avx2", "default"
    #if !defined(LPL_ANY_CPU) && !defined(LPL_LANES)
      #define LPL_KINDS
    #endif
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

#ifdef LPL_KINDS
  #define LPL_KERNEL(type, name) static __attribute__((unused)) type LPL_KIND(name)
  /* how many lanes are best here: asked while the program is being loaded, when no sanitizer can look on */
  #define LPL_AT_LOADING static __attribute__((unused, no_sanitize("address", "undefined", "thread")))
LPL_AT_LOADING int lpl_best_lanes(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512cd"))
        return 8;
    return __builtin_cpu_supports("avx2") ? 4 : 2;
}
  #define LPL_BEST(name) \
    LPL_AT_LOADING __typeof__(&name##_in_two) name##_here(void) { \
        int lanes = lpl_best_lanes(); \
        return lanes == 8 ? name##_in_eight : lanes == 4 ? name##_in_four : name##_in_two; \
    } \
    static __attribute__((unused, ifunc(#name "_here"))) __typeof__(name##_in_two) name;
#else
  #define LPL_KERNEL(type, name) LPL_ANY_CPU type name
  #define LPL_BEST(name)
#endif
#define LPL_KIND(name) name

#if LPL_LANES > 1
  #ifndef __clang__
    /* how lanes are passed from function to function: here they are not, all that take some are inlined */
    #pragma GCC diagnostic ignored "-Wpsabi"
  #endif
  #define LPL_ZERO {0}
  #define LPL_INLINE static inline __attribute__((always_inline, unused))
  #define LPL_BITS(x) ((lpl_bits) (x))
  #define LPL_DOUBLES(bits) ((lpl_lanes) (bits))
  #define LPL_WHERE(condition) ((lpl_bits) (condition))
  #define LPL_LANE(x, i) (x)[i]
  #if defined(__has_builtin)
    #if __has_builtin(__builtin_shufflevector)
      #define LPL_SHUFFLES
      #define LPL_PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
    #endif
  #endif
  #ifndef LPL_PICK
    #define LPL_PICK(a, b, ...) __builtin_shuffle(a, b, (lpl_bits) {__VA_ARGS__})
  #endif
#else
  #define LPL_ZERO 0
  #define LPL_INLINE static inline
  LPL_INLINE unsigned long long LPL_BITS(double x) { unsigned long long b; memcpy(&b, &x, sizeof b); return b; }
  LPL_INLINE double LPL_DOUBLES(unsigned long long bits) { double x; memcpy(&x, &bits, sizeof x); return x; }
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

/* what takes lanes, for each kind of processor; and for the clones */
#define lpl_lanes LPL_KIND(lpl_lanes)
#define lpl_bits LPL_KIND(lpl_bits)
#define lpl_add_up LPL_KIND(lpl_add_up)
#define LPL_KERNELS "linalg/lanes.h"
#include "kinds.h"
#ifdef LPL_KINDS
  #define LPL_KERNELS
  #include "linalg/lanes.h"
  #undef LPL_KERNELS
#endif

#elif defined(LPL_KERNELS)

#if LPL_LANES > 1
  typedef double lpl_lanes __attribute__((vector_size(8 * LPL_LANES), aligned(8), may_alias));
  typedef unsigned long long lpl_bits __attribute__((vector_size(8 * LPL_LANES), aligned(8), may_alias));
#else
  typedef double lpl_lanes;
  typedef unsigned long long lpl_bits;
#endif

/* ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)) of the eight sums in `s` */
LPL_INLINE double lpl_add_up(const lpl_lanes s[LPL_PARTS]) {
#if LPL_LANES == 8 && defined(LPL_SHUFFLES)
    typedef double lpl_half __attribute__((vector_size(8 * LPL_LANES / 2)));
    lpl_half h = LPL_PICK(s[0], s[0], 0, 1, 2, 3) + LPL_PICK(s[0], s[0], 4, 5, 6, 7);
    return (h[0] + h[2]) + (h[1] + h[3]);
#elif LPL_LANES == 8
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
