"""
Adapters of low rank
====================

A matrix that was trained on some data is frozen, and an adapter ``W1 W2`` of low rank learns other
data on top of it, as in LoRA. Its first layers are zero on one side, so that nothing is changed at
the start. Which side?
"""

# %%
# The frozen matrix predicts the lower half of an image from its upper half, and has seen the digits
# 0 to 4. The adapter learns 5 to 9. The frozen matrix is the ``offset`` of the loss.

import matplotlib.pyplot as plt
import numpy as np

from lplfast import Network, SquaredLoss, train
from lplfast.data import load_data, standardized

images, labels = load_data("digits")
X, Y = standardized(images[:, :32]), standardized(images[:, 32:])
X, Y = X.X[:, ~X.constant], Y.X[:, ~Y.constant]
old = labels < 5
frozen = SquaredLoss(X[old], Y[old], l2=0.1, reduction="mean").minimizer
problem = SquaredLoss(X[~old], Y[~old], l2=0.1, reduction="mean", offset=frozen)
n, m = problem.shape

# %%
# What no adapter of that rank can go below is known, and is where a run of a narrow network has
# converged.

ranks, taken = [1, 2, 4, 8, 16], {"W2": [], "W1": []}
for rank in ranks:
    rng = np.random.default_rng(rank)
    W1, W2 = rng.standard_normal((n, rank)) / np.sqrt(n), rng.standard_normal((rank, m)) / np.sqrt(rank)
    for zero, layers in (("W2", (W1, 0 * W2)), ("W1", (0 * W1, W2))):
        run = train(problem, Network(*layers), "majorizer", tol=1e-2, max_iter=5000)
        taken[zero].append(run.iterations)
        assert run.converged
        assert run.violations == 0
    print(f"rank {rank}: {problem.minimum_at_rank(rank) - problem.minimum:.3g} above the least of all matrices")

# %%
# With ``W2 = 0`` the other layer has smaller singular values, the first certified step is longer,
# and fewer iterations are taken.

fig, ax = plt.subplots(figsize=(6, 4))
for zero, iterations in taken.items():
    ax.loglog(ranks, iterations, "o-", label=f"{zero} = 0 at the start")
ax.set(xlabel="rank", ylabel="iterations")
ax.legend(frameon=False)
plt.show()
