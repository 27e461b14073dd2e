"""Gradient descent with the local step and all its constants in plain NumPy."""

import math

import numpy as np

__all__ = ["COLUMNS", "GramDescent", "SvdDescent"]

COLUMNS = ("loss", "gap", "gap_bound", "grad_norm", "mu_t", "sigma_min_sq", "sigma_max_sq", "sigma_max_W",
           "slack_pl", "rate_bound", "step_size", "K_t", "K_t_sharp", "slack_descent", "slack_rate",
           "slack_drift")


class GramDescent:
    """What a good NumPy programmer writes for speed.

    The layers as one stack, every product into an array made once, the extreme singular values from
    `numpy.linalg.eigvalsh` of small Gram matrices (all of one size in one call), scalars as Python floats.
    It records what lplfast does but for the rounding floor and the time. Layers with h >= n, m only.
    """

    def __init__(self, X, Y, W1, W2):
        (n, h), m = W1.shape, W2.shape[1]
        if h < max(n, m):
            raise ValueError(f"expected a width of at least {max(n, m)}, got {h}")
        self.X, self.Xt, self.Y = X, X.T, Y
        s = np.linalg.svd(X, compute_uv=False)
        self.mu, self.K = float(s[-1] ** 2), float(s[0] ** 2)
        self.minimum = float(np.sum((X @ np.linalg.lstsq(X, Y, rcond=None)[0] - Y) ** 2)) / 2
        self.Z, self.g = np.vstack([W1, W2.T]), np.empty((n + m, h))
        self.W1, self.W2t, self.g1, self.g2t = self.Z[:n], self.Z[n:], self.g[:n], self.g[n:]
        self.W, self.G, self.R = np.empty((n, m)), np.empty((n, m)), np.empty(Y.shape)
        p, q = min(n, m), max(n, m)
        # of W, of G, of the layer with p rows, and of the other one if p = q
        self.grams = np.empty((4, p, p))
        self.last_gram = self.grams[3] if p == q else np.empty((q, q))
        self.rows = []

    def extremes(self):
        """Return `s_min(T)^2, s_max(T)^2, s_max(W), ||G||_2`."""
        W, G, (n, m) = self.W, self.G, self.W.shape
        flat, short, long = (False, self.W1, self.W2t) if n <= m else (True, self.W2t, self.W1)
        for A, gram in ((W, self.grams[0]), (G, self.grams[1])):
            np.matmul(A.T, A, out=gram) if flat else np.matmul(A, A.T, out=gram)
        np.matmul(short, short.T, out=self.grams[2])
        np.matmul(long, long.T, out=self.last_gram)
        if n == m:
            values = np.linalg.eigvalsh(self.grams)
            last = values[3]
        else:
            values, last = np.linalg.eigvalsh(self.grams[:3]), np.linalg.eigvalsh(self.last_gram)
        return (float(values[2, 0] + last[0]), float(values[2, -1] + last[-1]), math.sqrt(values[0, -1]),
                math.sqrt(values[1, -1]))

    def evaluate(self):
        """Everything that is known at the layers."""
        W = np.matmul(self.W1, self.W2t.T, out=self.W)
        R = np.matmul(self.X, W, out=self.R)
        R -= self.Y
        G = np.matmul(self.Xt, R, out=self.G)
        np.matmul(G, self.W2t, out=self.g1)
        np.matmul(G.T, self.W1, out=self.g2t)
        self.loss = 0.5 * float(np.vdot(R, R))
        self.gap = self.loss - self.minimum
        self.grad_sq = float(np.vdot(self.g, self.g))
        self.G_norm = math.sqrt(np.vdot(G, G))
        self.s_min_sq, self.s_max_sq, self.W_max, self.G_max = self.extremes()

    def move(self, eta):
        """Take one step."""
        self.g *= eta
        self.Z -= self.g

    def advance(self, steps, given=None):
        """Take `steps` steps: the local ones, or the `given` ones."""
        mu, K = self.mu, self.K
        self.evaluate()
        gap_bound = self.gap
        for t in range(steps):
            gap, P, s, W_max = self.gap, self.grad_sq, self.s_max_sq, self.W_max
            mu_t = mu * self.s_min_sq
            g = math.sqrt(2 * K * gap)
            eta = local_step(K, s, g, W_max) if given is None else float(given[t])
            K_t = K * s + g + 3 * K * s * g * eta + 6 * K * K * W_max * gap * eta * eta
            K_t_sharp = (K * s + self.G_max + K * s * self.G_max * eta
                         + K * W_max * self.G_max * self.G_norm * eta * eta / 2)
            K_best = min(K_t, K_t_sharp)
            rate = (1 - mu_t * eta * (2 - eta * K_best) if eta * K_best <= 2
                    else 1 + eta * (eta * K_best - 2) * K * s)
            row = (self.loss, gap, gap_bound, math.sqrt(P), mu_t, self.s_min_sq, s, W_max,
                   1 - mu_t * gap / (P / 2), rate, eta, K_t, K_t_sharp)
            self.move(eta)
            self.evaluate()
            gap_bound *= rate
            decrease = (gap - self.gap) / (eta * P)
            self.rows.append((*row, decrease - (1 - eta * K_best / 2), rate - self.gap / gap,
                              2 * decrease - 1))

    @property
    def history(self):
        """A dict of arrays, one number a step."""
        return dict(zip(COLUMNS, np.array(self.rows).T, strict=True))


class SvdDescent(GramDescent):
    """The same with `numpy.linalg.svd` of the layers, of W and of G: the first thing one writes."""

    def extremes(self):
        """Return `s_min(T)^2, s_max(T)^2, s_max(W), ||G||_2`."""
        s1, s2, s, t = (np.linalg.svd(A, compute_uv=False) for A in (self.W1, self.W2t, self.W, self.G))
        return float(s1[-1] ** 2 + s2[-1] ** 2), float(s1[0] ** 2 + s2[0] ** 2), float(s[0]), float(t[0])


def local_step(K, s_max_sq, g, W_max):
    """Return the root of `eta K_t(eta) = 1`, g = sqrt(2 K gap), by Newton from `1 / K_t(0)`."""
    c = K * s_max_sq + g
    B = 3 * (K * s_max_sq / c) * (g / c)
    A = 3 * (K * W_max / c) * (g / c) ** 2
    x, before = 1.0, 2.0
    while x < before:
        before = x
        x -= (((A * x + B) * x + 1) * x - 1) / ((3 * A * x + 2 * B) * x + 1)
    return before / c
