"""Softmax regression: a step with everything that is recorded, PyTorch's autograd, and the bare work."""

import math

import numpy as np
from scipy.linalg.blas import dgemm

from lplfast import Majorizer, Network, Sharp, SoftmaxLoss

from .agreement import agree
from .cases import OursRun
from .compiled import compiled
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["tables"]

ROWS, N, M, H = 1797, 64, 10, 10000
STEPS, TORCH_STEPS = 100, 3
L2 = 1e-2


def tables(quick):
    """Time per step at the size of scikit-learn's digits, at hidden width 10000: against PyTorch, and the bare work."""
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((ROWS, N)), rng.integers(0, M, ROWS)
    network = Network.gaussian(N, H, M, std=H**-0.25, rng=1)
    stack = network.stack()
    problem = SoftmaxLoss(X, labels, l2=L2)
    run, looking = (OursRun(problem, stack, rule, "certified", STEPS) for rule in (Sharp(), Majorizer()))
    k = network.compressed_width
    works = {"lplfast": run.work, "majorizer": looking.work, "bare": _bare(k), "bare with a ray": _bare(k, ray=True)}
    try:
        import torch
    except ImportError:
        notes = "PyTorch is not installed, left out."
    else:
        rival = _Torch(torch, X, labels, network)
        _agree(rival, run.history)
        works["PyTorch"] = Work(rival.prepare, TORCH_STEPS + 1)
        notes = "PyTorch: loss and gradients by autograd, all columns by torch.linalg, full width, one thread, eager."
    times = interleaved(works, 3 if quick else 7)
    what = f"softmax, N={ROWS} n={N} m={M} h={H}, {STEPS} steps"
    rows = [Row.excess(times, what, "lplfast", "bare", target="<= 1.5", note=run.note),
            Row.excess(times, what, "majorizer", "bare with a ray", target="<= 1.15", note=looking.note)]
    if "PyTorch" in works:
        rows.append(Row.quotient(times, what, "lplfast", "PyTorch", target=">= 10"))
    yield Table("softmax", "Softmax regression: one step, all columns", rows, notes=(
        f"bare: the five products of a step at the compressed width {k}, and {ROWS * M} calls of exp; with a ray: the\n"
        f"four of the ray, too, with X twice as wide in place of once.\n{notes}"))


class _Torch:
    """Gradient descent with all that the history has, as one writes it in PyTorch, at full width."""

    def __init__(self, torch, X, labels, network):
        self.torch = torch
        torch.set_num_threads(1)
        self.X, self.labels = torch.from_numpy(X), torch.from_numpy(labels)
        self.start = [torch.from_numpy(W.copy()) for W in (network.W1, network.W2)]
        self.K = float(np.linalg.norm(X, 2) ** 2 / 2 + L2)

    def prepare(self):
        """Return a function that takes a few steps from the start."""
        layers = [W.clone().requires_grad_() for W in self.start]
        return lambda: self.advance(*layers)

    def evaluate(self, W1, W2):
        """Return the loss, the gradients in both layers, and the numbers that a row is made of."""
        torch = self.torch
        W = W1 @ W2
        W.retain_grad()
        loss = (torch.nn.functional.cross_entropy(self.X @ W, self.labels, reduction="sum") + L2 / 2 * (W * W).sum())
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
        for t in range(TORCH_STEPS):
            loss, P, s_min, s_max, W_max, G_max, G_norm = self.evaluate(W1, W2)
            c = self.K * s_max + G_max
            B, A = self.K * s_max * G_max / c**2, self.K * W_max * G_max * G_norm / (2 * c**3)
            x = 1.0
            for _ in range(8):
                x -= (((A * x + B) * x + 1) * x - 1) / ((3 * A * x + 2 * B) * x + 1)
            eta = x / c if given is None else float(given[t])
            rows.append((loss, math.sqrt(P), L2 * s_min, s_max, eta))
            with self.torch.no_grad():
                W1 -= eta * W1.grad
                W2 -= eta * W2.grad
        self.evaluate(W1, W2)
        return rows


def _agree(rival, ours):
    """Raise unless a rival that takes our steps finds the same: loss and gradient to 1e-8, constants within 3%."""
    layers = [W.clone().requires_grad_() for W in rival.start]
    theirs = np.array(rival.advance(*layers, given=ours["step_size"])).T
    for name, values in zip(("loss", "grad_norm", "mu_t", "sigma_max_sq"), theirs[:4], strict=True):
        within = 1e-8 if name in ("loss", "grad_norm") else 0.03     # brackets are 1% wide
        agree(f"softmax {name}", ours[name][:TORCH_STEPS], values, below=within, above=within)
    # the step is theirs at their own constants
    own = np.array(rival.prepare()())[0, 4]
    agree("softmax step_size", ours["step_size"][:1], [own], below=0.03, above=0.03)


def _bare(k, ray=False):
    """Return the Work of the products and the exponentials, one step's worth a unit.

    A step that looks along its ray has X @ [tau, B] in place of X @ E, and what tau and B are made of.
    """
    exponentials = compiled().exponentials
    rng = np.random.default_rng(0)
    # row-major as the kernels have them: Fortran sees the transposes, hence .T and swapped arguments
    W1, W2t, G, X, R = (rng.standard_normal(shape).T
                        for shape in ((N, k), (M, k), (N, M), (ROWS, N), (ROWS, M)))
    W, g1, g2t, Z = (np.zeros(shape).T for shape in ((N, M), (N, k), (M, k), (ROWS, M)))
    both, tau, B, moves = (rng.standard_normal(shape).T for shape in ((N, 2 * M), (N, M), (N, M), (ROWS, 2 * M)))
    x, y = rng.standard_normal(ROWS * M), np.empty(ROWS * M)

    def run():
        for _ in range(20):
            # positional: beta, C, trans_a, trans_b, overwrite_c
            dgemm(1.0, W2t, W1, 0.0, W, 1, 0, 1)        # W = W1 @ W2
            if ray:
                dgemm(1.0, both, X, 0.0, moves, 0, 0, 1)    # X @ [tau, B]
            else:
                dgemm(1.0, W, X, 0.0, Z, 0, 0, 1)           # Z = X @ W
            exponentials(x, y)
            dgemm(1.0, R, X, 0.0, G, 0, 1, 1)           # G = X.T @ R
            dgemm(1.0, W2t, G, 0.0, g1, 0, 0, 1)        # g1 = G @ W2.T
            dgemm(1.0, W1, G, 0.0, g2t, 0, 1, 1)        # g2.T = G.T @ W1
            if ray:
                dgemm(1.0, W2t, g1, 0.0, tau, 1, 0, 1)  # tau = g1 @ W2 + W1 @ g2
                dgemm(1.0, g2t, W1, 1.0, tau, 1, 0, 1)
                dgemm(1.0, g2t, g1, 0.0, B, 1, 0, 1)    # B = g1 @ g2

    run()
    logits = ((moves, both @ X), (tau, W2t.T @ g1 + g2t.T @ W1), (B, g2t.T @ g1)) if ray else ((Z, W @ X),)
    for found, expected in (*logits, (G, R @ X.T), (g1, W2t @ G), (g2t, W1 @ G.T), (y, np.exp(x))):
        if not np.allclose(found, expected):
            raise RuntimeError("a product did not go where it should")
    return Work(lambda: run, 20)
