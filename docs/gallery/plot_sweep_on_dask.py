"""
A sweep on Dask
===============

How many iterations do three rules take, at which width? Every cell of the grid is a run with its
own stream of random numbers, and they are spread over the workers of a Dask cluster: here two
threads of this process, with ``Client("tcp://host:8786")`` as many machines as there are. No bit of
the result depends on that.
"""

# %%
# ``plan`` is what ``train`` would be given. It is carried out by a worker, without Python's lock.

import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client

from lplfast import MatrixFactorization, Network, plan, sweep

target = np.diag([3.0, 2.0, 1.0])


def experiment(rng, rule, width):
    """Return what is to be run at a cell."""
    network = Network.gaussian(3, width, 3, std=width**-0.25, rng=rng)
    return plan(MatrixFactorization(target), network, rule, tol=1e-8, record=["gap"])


grid = {"rule": ["local", "sharp", "majorizer"], "width": [3, 10, 30, 100, 300]}
with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"):
    found = sweep(experiment, grid, seeds=10, backend="dask")
found

# %%
# The result is an ``xarray.Dataset``: medians over the seeds, and the quarters to either side.

fig, ax = plt.subplots(figsize=(6, 4))
quarters = found.iterations.quantile([0.25, 0.5, 0.75], dim="seed")
for rule in grid["rule"]:
    low, middle, high = (quarters.sel(rule=rule, quantile=q) for q in (0.25, 0.5, 0.75))
    ax.loglog(found.width, middle, "o-", label=rule)
    ax.fill_between(found.width, low, high, alpha=0.2, linewidth=0)
ax.set(xlabel="width", ylabel="iterations to 1e-8")
ax.legend(frameon=False)
plt.show()
