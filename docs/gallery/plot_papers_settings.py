"""
The setting of Xu et al. (2023), with the step size of 2025
===========================================================

Matrix factorization with 20 inputs and one output, h = 1000, from balanced layers, as in section
4.1 of Xu et al. (2023). How many iterations do the step sizes of four papers and of this project
take to 1e-10 of the first gap?
"""

# %%
# The target lies near the first product, which is that of balanced layers.

import matplotlib.pyplot as plt
import numpy as np

from lplfast import MatrixFactorization, Network, compare, plots, train

rng = np.random.default_rng(0)
first = rng.normal(scale=0.5, size=(20, 1))
problem = MatrixFactorization(first + 0.04 * rng.standard_normal((20, 1)))
network = Network.balanced(first, 1000)

rules = ["arora", "du", "xu-f0", "xu-rho", "local", "contraction", "majorizer"]
runs = {name: train(problem, network, name, tol=1e-10, max_iter=140) for name in rules}
compare(runs)[["status", "iterations", "gap"]]

# %%
# The steps of 2018 are so short that nothing is seen of their progress. The best rule of 2023 takes
# its longest step for a whole run; the local step of 2025 grows as the gap falls.

fig, ax = plt.subplots(figsize=(7, 4))
plots.compare(runs, ax=ax)
plt.show()

# %%
# Each of these runs was checked at every step, whatever promises its rule makes.

print({name: run.violations for name, run in runs.items()})
