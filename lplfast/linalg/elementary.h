/* Elementary functions in lanes: exp and log1p, and exp(c) - 1 - c without cancellation.

   c = k log 2 + r, k whole and |r| <= log(2)/2, turns all three into one series: q = exp(r) - 1 - r. No table, no branch,
   and the same bits wherever the lanes are compiled. docs/theory.md, section 12. */

#ifndef LPLFAST_ELEMENTARY_H
#define LPLFAST_ELEMENTARY_H

#include "lanes.h"

/* log 2 in two parts; the first has 33 bits, so that k times it is exact for |k| < 2^20 */
#define LPL_LN2 0x1.62e42feep-1
#define LPL_LN2_REST 0x1.a39ef35793c76p-33
/* 1.5 * 2^52: what is added to it is rounded to a whole number, found in its last bits */
#define LPL_WHOLE 0x1.8p52

/* exp(r) - 1 - r for |r| <= 0.35: r^2 (1/2! + r/3! + ...), whose next term is below u of the first */
#define LPL_NEAR_EXCESS(r) ((r) * (r) * (1.0 / 2 + (r) * (1.0 / 6 + (r) * (1.0 / 24 + (r) * (1.0 / 120 + (r) * (        \
    1.0 / 720 + (r) * (1.0 / 5040 + (r) * (1.0 / 40320 + (r) * (1.0 / 362880 + (r) * (1.0 / 3628800 + (r) * (          \
    1.0 / 39916800 + (r) * (1.0 / 479001600 + (r) * (1.0 / 6227020800.0)))))))))))))

#define lpl_excess LPL_KIND(lpl_excess)
#define lpl_log1p LPL_KIND(lpl_log1p)
#define LPL_KERNELS "linalg/elementary.h"
#include "kinds.h"

#elif defined(LPL_KERNELS)

/* exp(c) - 1 - c and exp(c) for |c| <= 700: the one right to some 40 u, the other to 3 u */
LPL_INLINE lpl_lanes lpl_excess(lpl_lanes c, lpl_lanes* exponential) {
    lpl_lanes z = c * 0x1.71547652b82fep0 + LPL_WHOLE, k = z - LPL_WHOLE;
    lpl_lanes r = (c - k * LPL_LN2) - k * LPL_LN2_REST, q = LPL_NEAR_EXCESS(r);
    lpl_lanes e = (1.0 + (r + q)) * LPL_DOUBLES((LPL_BITS(z) + 1023) << 52);
    *exponential = e;
    return LPL_CHOOSE(k == 0.0, q, (e - 1.0) - c);
}

/* log(1 + x) for finite x >= 0, to some 5 u. y = 1 + x is 2^k f with f from sqrt(1/2) to sqrt(2), and log f is
   2 atanh((f - 1)/(f + 1)); what rounding has left out of y comes in by the derivative. */
LPL_INLINE lpl_lanes lpl_log1p(lpl_lanes x) {
    lpl_lanes y = 1.0 + x, k, s, z;
    lpl_bits e = (LPL_BITS(y) - 0x3fe6a09e667f3bcdULL) >> 52;
    k = LPL_DOUBLES(e | 0x4330000000000000ULL) - 0x1p52;
    z = LPL_DOUBLES(LPL_BITS(y) - (e << 52));
    s = (z - 1.0) / (z + 1.0);
    z = s * s;
    z = z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z * (
        1.0 / 17 + z * (1.0 / 19)))))))));
    return k * LPL_LN2 + ((2.0 * s + 2.0 * s * z) + (k * LPL_LN2_REST + (x - (y - 1.0)) / y));
}

#endif
