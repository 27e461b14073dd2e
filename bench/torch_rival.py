"""The same in PyTorch: analytic gradients without autograd, which would only add to it.

On one thread, unless it has its process for itself.
"""

import math
import os

import torch

from .all_threads import ALONE
from .numpy_rival import GramDescent

__all__ = ["TorchDescent"]

if ALONE not in os.environ:
    torch.set_num_threads(1)


class TorchDescent(GramDescent):
    """`GramDescent` with its arrays as tensors, every product into one made before, `torch.linalg.eigvalsh`."""

    def __init__(self, X, Y, W1, W2):
        super().__init__(X, Y, W1, W2)
        n = len(W1)
        for name in ("X", "Y", "Z", "g", "W", "G", "R", "grams", "last_gram"):
            setattr(self, name, torch.from_numpy(getattr(self, name)))
        # views of the tensors, as the arrays were views
        self.Xt, self.W1, self.W2t, self.g1, self.g2t = self.X.T, self.Z[:n], self.Z[n:], self.g[:n], self.g[n:]
        if self.W.shape[0] == self.W.shape[1]:
            self.last_gram = self.grams[3]

    def extremes(self):
        """Return `s_min(T)^2, s_max(T)^2, s_max(W), ||G||_2`."""
        W, G, (n, m) = self.W, self.G, self.W.shape
        flat, short, long = (False, self.W1, self.W2t) if n <= m else (True, self.W2t, self.W1)
        for A, gram in ((W, self.grams[0]), (G, self.grams[1])):
            torch.mm(A.T, A, out=gram) if flat else torch.mm(A, A.T, out=gram)
        torch.mm(short, short.T, out=self.grams[2])
        torch.mm(long, long.T, out=self.last_gram)
        # the ends alone, and all of them out of torch at once
        values = torch.linalg.eigvalsh(self.grams if n == m else self.grams[:3])[:, [0, -1]].tolist()
        last = values[3] if n == m else torch.linalg.eigvalsh(self.last_gram)[[0, -1]].tolist()
        return values[2][0] + last[0], values[2][1] + last[1], math.sqrt(values[0][1]), math.sqrt(values[1][1])

    def evaluate(self):
        """Everything that is known at the layers."""
        W = torch.mm(self.W1, self.W2t.T, out=self.W)
        R = torch.addmm(self.Y, self.X, W, beta=-1.0, out=self.R)
        G = torch.mm(self.Xt, R, out=self.G)
        torch.mm(G, self.W2t, out=self.g1)
        torch.mm(G.T, self.W1, out=self.g2t)
        R, g, G = R.ravel(), self.g.ravel(), G.ravel()
        self.loss = 0.5 * torch.dot(R, R).item()
        self.gap = self.loss - self.minimum
        self.grad_sq, self.G_norm = torch.dot(g, g).item(), math.sqrt(torch.dot(G, G).item())
        self.s_min_sq, self.s_max_sq, self.W_max, self.G_max = self.extremes()

    def move(self, eta):
        """Take one step."""
        self.Z.sub_(self.g, alpha=eta)
