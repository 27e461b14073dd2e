"""What hypothesis draws for tests of guarantees."""

import numpy as np
from cases import NETWORKS, PROBLEMS
from hypothesis import strategies as st

from lplfast import Network


@st.composite
def cases(draw):
    n, m, h = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    problem, _ = PROBLEMS[draw(st.sampled_from(sorted(PROBLEMS)))](rng, n, m)
    network = NETWORKS[draw(st.sampled_from(sorted(NETWORKS)))](rng, n, h, m)
    if draw(st.booleans()):     # close to the minimizer, where the margin counts
        network = Network.balanced(problem.minimizer + 10.0 ** draw(st.floats(-6, 0)) * rng.standard_normal((n, m)),
                                   max(h, min(n, m)))
    return problem, network
