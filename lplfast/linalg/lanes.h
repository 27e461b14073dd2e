/* Eight doubles at a time: what `passes.h`, `products.h` and `cholesky.h` are written in.

   GCC and Clang compile the passes for AVX-512, AVX2 and any processor, and choose when the program is loaded: the bits
   are those of eight lanes on all of them. A compiler without vector types gets the same source with one lane, and so
   does who defines LPL_ONE_LANE. */

#ifndef LPLFAST_LANES_H
#define LPLFAST_LANES_H

#include <math.h>
#include <stddef.h>

#if (defined(__GNUC__) || defined(__clang__)) && !defined(LPL_ONE_LANE)
  #define LPL_LANES 8
  #define LPL_ZERO {0}
  typedef double lpl_lanes __attribute__((vector_size(64), aligned(8), may_alias));
  typedef long long lpl_bits __attribute__((vector_size(64), aligned(8), may_alias));
  #define LPL_MAGNITUDE(x) ((lpl_lanes) ((lpl_bits) (x) & 0x7fffffffffffffffLL))
  #define LPL_ADD_UP(s) ((((s)[0] + (s)[4]) + ((s)[2] + (s)[6])) + (((s)[1] + (s)[5]) + ((s)[3] + (s)[7])))
#else
  #define LPL_LANES 1
  #define LPL_ZERO 0
  typedef double lpl_lanes;
  #define LPL_MAGNITUDE(x) fabs(x)
  #define LPL_ADD_UP(s) (s)
#endif
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
