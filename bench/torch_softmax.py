"""Softmax regression in PyTorch, loss and gradients by autograd, with everything that is recorded."""

import math

import numpy as np
import torch

from .agreement import agree

__all__ = ["STEPS", "TorchSoftmax", "check_softmax"]

STEPS = 3

torch.set_num_threads(1)


class TorchSoftmax:
    """Gradient descent with all that the history has, as one writes it in PyTorch, at full width."""

    def __init__(self, X, labels, l2, network):
        self.X, self.labels = torch.from_numpy(X), torch.from_numpy(labels)
        self.start = [torch.from_numpy(W.copy()) for W in (network.W1, network.W2)]
        self.l2, self.K = l2, float(np.linalg.norm(X, 2) ** 2 / 2 + l2)

    def prepare(self):
        """Return a function that takes a few steps from the start."""
        layers = [W.clone().requires_grad_() for W in self.start]
        return lambda: self.advance(*layers)

    def evaluate(self, W1, W2):
        """Return the loss, the gradients in both layers, and the numbers that a row is made of."""
        W = W1 @ W2
        W.retain_grad()
        loss = (torch.nn.functional.cross_entropy(self.X @ W, self.labels, reduction="sum")
                + self.l2 / 2 * (W * W).sum())
        W1.grad = W2.grad = None
        loss.backward()
        with torch.no_grad():
            ends = [torch.linalg.eigvalsh(A @ A.T if A.shape[0] < A.shape[1] else A.T @ A)[[0, -1]]
                    for A in (W1, W2, W, W.grad)]
            s_min = float(ends[0][0] + ends[1][0])
            s_max = float(ends[0][1] + ends[1][1])
            W_max, G_max = (float(end[1].clamp(min=0).sqrt()) for end in ends[2:])
            P = float((W1.grad ** 2).sum() + (W2.grad ** 2).sum())
            return float(loss.detach()), P, s_min, s_max, W_max, G_max, float(W.grad.norm())

    def advance(self, W1, W2, given=None):
        """Take a few steps: the sharp ones, or the `given` ones; return what a row is made of."""
        rows = []
        for t in range(STEPS):
            loss, P, s_min, s_max, W_max, G_max, G_norm = self.evaluate(W1, W2)
            c = self.K * s_max + G_max
            B, A = self.K * s_max * G_max / c**2, self.K * W_max * G_max * G_norm / (2 * c**3)
            x = 1.0
            for _ in range(8):
                x -= (((A * x + B) * x + 1) * x - 1) / ((3 * A * x + 2 * B) * x + 1)
            eta = x / c if given is None else float(given[t])
            rows.append((loss, math.sqrt(P), self.l2 * s_min, s_max, eta))
            with torch.no_grad():
                W1 -= eta * W1.grad
                W2 -= eta * W2.grad
        self.evaluate(W1, W2)
        return rows


def check_softmax(rival, ours):
    """Raise `DisagreementError` unless a rival that takes our steps finds the same.

    Loss and gradient to 1e-8, constants within 3%.
    """
    layers = [W.clone().requires_grad_() for W in rival.start]
    theirs = np.array(rival.advance(*layers, given=ours["step_size"])).T
    for name, values in zip(("loss", "grad_norm", "mu_t", "sigma_max_sq"), theirs[:4], strict=True):
        within = 1e-8 if name in ("loss", "grad_norm") else 0.03     # brackets are 1% wide
        agree(f"softmax {name}", ours[name][:STEPS], values, below=within, above=within)
    # the step is theirs at their own constants
    own = np.array(rival.prepare()())[0, 4]
    agree("softmax step_size", ours["step_size"][:1], [own], below=0.03, above=0.03)
