"""
Digits, certified
=================

scikit-learn's digits, a softmax loss, a network with 1000 hidden units. Each step is certified
before it is taken, and what all of them guarantee together is drawn beside what was measured.
"""

# %%
# Columns are standardized, constant ones left out. ``problem.project`` leaves out of the first
# layers what only the ridge would ever remove.

import matplotlib.pyplot as plt

from lplfast import Network, SoftmaxLoss, train
from lplfast.data import load_data, standardized

images, labels = load_data("digits")
scaled = standardized(images)
X = scaled.X[:, ~scaled.constant]
problem = SoftmaxLoss(X, labels, l2=1.0)
network = problem.project(Network.gaussian(X.shape[1], 1000, 10, std=1000**-0.25, rng=0))

run = train(problem, network, "majorizer", tol=1e-6)
print(run.message)
recognized = (X @ run.network.product).argmax(axis=1) == labels
print(f"{recognized.mean():.1%} of the digits are recognized, of which it has seen all.")

# %%
# The upper curve is proved: the first gap times the guaranteed rate of each step so far.

history = run.history
fig, ax = plt.subplots(figsize=(6, 4))
ax.semilogy(history["iteration"], history["gap"] / history["gap"][0], label="measured")
ax.semilogy(history["iteration"], history["gap_bound"] / history["gap"][0], "--", label="guaranteed")
ax.set(xlabel="iteration", ylabel="gap, of the first")
ax.legend(frameon=False)
plt.show()

# %%
# What was checked, at how many steps, and how close it came:

print(run.audit())
