"""
A run of PyTorch, certified
===========================

PyTorch trains two linear layers, with momentum at first and then without. An ``Observer`` is told
the layers after every step, and says what is known of them.
"""

# %%

import matplotlib.pyplot as plt
import numpy as np
import torch

from lplfast import Network, Observer, SquaredLoss

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((100, 20)) / 10, rng.standard_normal((100, 5))
problem = SquaredLoss(X, Y)
network = Network.gaussian(20, 200, 5, std=0.06, rng=0)
model = torch.nn.Sequential(*network.to_torch())
inputs, targets = torch.from_numpy(X), torch.from_numpy(Y)

observer = Observer(problem, network)
eta = 0.1
for momentum, steps in ((0.5, 40), (0.0, 80)):
    optimizer = torch.optim.SGD(model.parameters(), lr=eta, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (model(inputs) - targets).square().sum()).backward()
        optimizer.step()
        first, second = (layer.weight.detach().T for layer in model)
        # a step with momentum is none of gradient descent: no step size is said of it
        observer.update(first, second, step_size=None if momentum else eta)

run = observer.run
print(run.message)
print(run.verdict)

# %%
# The PL inequality holds at any layers, and is checked at all. The descent lemma speaks of steps of
# gradient descent, and is checked for these; the guaranteed gap begins anew after each other step.

history = run.history
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
left.semilogy(history["iteration"], history["gap"], label="measured")
left.semilogy(history["iteration"][40:], history["gap_bound"][40:], "--", label="guaranteed")
left.set(xlabel="step", ylabel="gap")
left.legend(frameon=False)
right.plot(history["iteration"], history["sigma_min_sq"], label="s_min(T)^2, from below")
right.plot(history["iteration"], history["sigma_max_sq"], label="s_max(T)^2, from above")
right.set(xlabel="step", ylim=(0, None))
right.legend(frameon=False)
plt.show()
