"""Dense linear algebra: products and passes in C for the kernels, factorizations for what a user hands over.

In: plain arrays. Out: products, sums, factors; no loss, no rule, no network is known here. `rounding` comes first, and
`lanes.h`, in which the C of the others is written; then `blas` (row-major products), `cholesky`, `passes` (whole
matrices at once), `quartic` (polynomials along a step), `compress` (thin QR of wide layers, block by block), `peaks`,
`factorization` (the user's matrices, accurate column by column).
"""
