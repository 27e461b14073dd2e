/* Eight doubles at a time: what `passes.h`, `products.h` and `cholesky.h` are written in.

   GCC and Clang compile the passes for AVX-512, AVX2 and any processor, and choose when the program is loaded: the bits
   are those of eight lanes on all of them. A compiler without vector types gets the same source with one lane, and so
   does who defines LPL_ONE_LANE. */

#ifndef LPLFAST_LANES_H
#define LPLFAST_LANES_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#if (defined(__GNUC__) || defined(__clang__)) && !defined(LPL_ONE_LANE)
  #define LPL_LANES 8
  #ifndef __clang__
    /* how lanes are passed from function to function: here they are not, all that take some are inlined */
    #pragma GCC diagnostic ignored "-Wpsabi"
  #endif
  #define LPL_ZERO {0}
  typedef double lpl_lanes __attribute__((vector_size(64), aligned(8), may_alias));
  typedef unsigned long long lpl_bits __attribute__((vector_size(64), aligned(8), may_alias));
  #define LPL_INLINE static inline __attribute__((always_inline, unused))
  #define LPL_BITS(x) ((lpl_bits) (x))
  #define LPL_DOUBLES(bits) ((lpl_lanes) (bits))
  #define LPL_WHERE(condition) ((lpl_bits) (condition))
  #define LPL_ADD_UP(s) ((((s)[0] + (s)[4]) + ((s)[2] + (s)[6])) + (((s)[1] + (s)[5]) + ((s)[3] + (s)[7])))
#else
  #define LPL_LANES 1
  #define LPL_ZERO 0
  typedef double lpl_lanes;
  typedef unsigned long long lpl_bits;
  #define LPL_INLINE static inline
  LPL_INLINE lpl_bits LPL_BITS(double x) { lpl_bits bits; memcpy(&bits, &x, sizeof bits); return bits; }
  LPL_INLINE double LPL_DOUBLES(lpl_bits bits) { double x; memcpy(&x, &bits, sizeof x); return x; }
  #define LPL_WHERE(condition) (0 - (lpl_bits) (condition))
  #define LPL_ADD_UP(s) (s)
#endif
#define LPL_MAGNITUDE(x) LPL_DOUBLES(LPL_BITS(x) & 0x7fffffffffffffffULL)
/* one of two, lane by lane: no branch, and both have been computed */
#define LPL_CHOOSE(condition, a, b) \
    LPL_DOUBLES((LPL_WHERE(condition) & LPL_BITS(a)) | (~LPL_WHERE(condition) & LPL_BITS(b)))
#define LPL_AT(x) (*(const lpl_lanes*) (x))
#define LPL_PUT(x) (*(lpl_lanes*) (x))

/* the choice is the dynamic linker's: glibc's can. A test that looks at the functions from outside says otherwise. */
#if defined(LPL_ANY_CPU)
#elif defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
  #define LPL_ANY_CPU static __attribute__((unused, target_clones("avx512f", "avx2", "default")))
#elif defined(__GNUC__)
  #define LPL_ANY_CPU static __attribute__((unused))
#else
  #define LPL_ANY_CPU static
#endif

#endif
