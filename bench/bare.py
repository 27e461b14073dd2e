"""The bare work: the three matrix products that no step at the compressed width can do without."""

import numpy as np
from scipy.linalg.blas import dgemm

from .cases import Case, OursRun
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["bare", "tables"]

CALLS = 200


def bare(n, m, k):
    """Return the Work of `W = W1 @ W2`, `G @ W2.T` and `W1.T @ G` with layers of width k, 200 times over.

    By `scipy.linalg.blas.dgemm` into arrays made before. Each call from Python costs a fraction of a
    microsecond beside the product; `bare(1, 1, 1)` measures it. A hook in Cython would replace this function
    and not need that.
    """
    rng = np.random.default_rng(0)
    # row-major as the kernels have them: Fortran sees the transposes, hence .T and swapped arguments
    W1, W2t, G = (rng.standard_normal(shape).T for shape in ((n, k), (m, k), (n, m)))
    W, g1, g2t = (np.zeros(shape).T for shape in ((n, m), (n, k), (m, k)))

    def run():
        for _ in range(CALLS):
            # positional: beta, C, trans_a, trans_b, overwrite_c
            dgemm(1.0, W2t, W1, 0.0, W, 1, 0, 1)
            dgemm(1.0, W2t, G, 0.0, g1, 0, 0, 1)
            dgemm(1.0, W1, G, 0.0, g2t, 0, 1, 1)

    run()
    for found, expected in ((W, W2t.T @ W1), (g1, W2t @ G), (g2t, W1 @ G.T)):
        if not np.allclose(found, expected):
            raise RuntimeError("dgemm did not write where it should")
    return Work(lambda: run, CALLS)


def tables(quick):
    """Time per iteration of the certified loop over that of the products, at the start and over long run."""
    rows = []
    for n, m, h in ((4, 4, 64), (20, 20, 1000), (100, 10, 10000)):
        k = min(h, n + m)
        case = Case.make(n, m, h)
        for steps in (150, 3000):
            run = OursRun(case, "certified", steps)
            times = interleaved({"bare": bare(n, m, k), "calls": bare(1, 1, 1),
                                 "loop": Work(run.prepare, run.steps)}, 3 if quick else 7)
            calls = times["calls"].seconds
            net = times["bare"].seconds - calls
            note = f"calls {1e6 * calls:.2f} us, products "
            # a small difference of two times says nothing
            loop = times["loop"].seconds
            note += f"{1e6 * net:.2f}: {loop / net:.1f} times" if net > calls else "too short"
            what = f"certified, {steps} steps, n={n} m={m} k={k}"
            rows.append(Row.excess(what, times["loop"], times["bare"],
                                   note=f"{note}; {run.note}"))
    yield Table("The bare work: three dgemm calls a step at the compressed width k, from Python", rows,
                rival="bare us", ratio="lplfast / bare", notes=(
                    "calls: the same three on 1 x 1 matrices, what calling costs; products: bare without\n"
                    "it, and how many times that the loop takes. lplfast has a plain loop for the products\n"
                    "of at most 1000 multiplications: it can take less than the calls."))
