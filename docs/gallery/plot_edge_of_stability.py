"""
The edge of stability
=====================

Gradient descent with a constant step ``eta`` cannot stay at a minimum whose sharpness, the greatest
eigenvalue of the Hessian of L, is above ``2 / eta``. lplfast brackets the sharpness at every step.
"""

# %%
# Wide layers start where the sharpness is greatest. The critical step is 2 over the greatest
# eigenvalue of the tangent kernel there.

import matplotlib.pyplot as plt
import numpy as np

from lplfast import Network, SquaredLoss, local_constants, train
from lplfast.data import default_data

X, Y = default_data(n=20, m=20, condition=np.sqrt(3))
problem = SquaredLoss(X, Y)
network = Network.gaussian(20, 1000, 20, std=1000**-0.25, rng=0)
critical = 2 / local_constants(problem, network).kernel_extremes[1]

runs = {factor: train(problem, network, factor * critical, tol=1e-12, constants="exact") for factor in (0.5, 1.2, 1.9)}

# %%
# Below the critical step the gap falls at once. Above it, it grows at first, by up to a part of the
# width, which shrinks the layers and with them the sharpness, until the step is short enough: a
# catapult. Every run ends at a minimum whose sharpness is below ``2 / eta``, the dashed line.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
for factor, run in runs.items():
    history = run.history
    left.semilogy(history["iteration"], history["gap"] / history["gap"][0], label=f"{factor} of the critical step")
    middle = (history["sharpness_lo"] + history["sharpness_hi"]) / 2
    (line,) = right.plot(history["iteration"], middle * factor * critical / 2)
    right.fill_between(history["iteration"], history["sharpness_lo"] * factor * critical / 2,
                       history["sharpness_hi"] * factor * critical / 2, color=line.get_color(), alpha=0.2, linewidth=0)
left.set(xlabel="iteration", ylabel="gap, of the first", xlim=(0, 60))
left.legend(frameon=False)
right.axhline(1, color="gray", linestyle="--")
right.set(xlabel="iteration", ylabel="sharpness times eta / 2", xlim=(0, 60), ylim=(0, 3))
plt.show()

# %%

for factor, run in runs.items():
    print(f"{factor}: {run.message}")
