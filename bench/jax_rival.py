"""The same in JAX: one `lax.scan` over all steps, compiled before it is timed.

On one thread, unless it has its process for itself.
"""

import functools
import os

from .all_threads import ALONE

if ALONE not in os.environ:
    # read once, when XLA starts
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    os.environ["NPROC"] = "1"

import jax
import jax.numpy as jnp
import numpy as np

from .numpy_rival import COLUMNS

__all__ = ["JaxDescent"]

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


class JaxDescent:
    """All steps in one call of compiled code; the layers as one stack, extremes by `eigvalsh` of Gram matrices."""

    def __init__(self, X, Y, W1, W2):
        s = np.linalg.svd(X, compute_uv=False)
        minimum = np.sum((X @ np.linalg.lstsq(X, Y, rcond=None)[0] - Y) ** 2) / 2
        self.data = tuple(jnp.asarray(value) for value in (X, Y, s[-1] ** 2, s[0] ** 2, minimum))
        self.Z = jnp.asarray(np.vstack([W1, W2.T]))

    def advance(self, steps, given=None):
        """Take `steps` steps: the local ones, or the `given` ones."""
        # NaN asks for the step's own, so that both compile to one program
        given = np.full(steps, np.nan) if given is None else given
        self.rows = jax.block_until_ready(_descend(self.data, self.Z, jnp.asarray(given)))

    @property
    def history(self):
        """A dict of arrays, one number a step."""
        return dict(zip(COLUMNS, np.asarray(self.rows).T, strict=True))


@jax.jit
def _descend(data, Z, given):
    mu, K = data[2], data[3]

    def step(carry, given):
        Z, at, gap_bound = carry
        loss, gap, P, s_min, s, W_max, G_max, G_norm, g = at
        mu_t = mu * s_min
        root = jnp.sqrt(2 * K * gap)
        eta = jnp.where(jnp.isnan(given), _local_step(K, s, root, W_max), given)
        K_t = K * s + root + 3 * K * s * root * eta + 6 * K * K * W_max * gap * eta * eta
        K_t_sharp = K * s + G_max + K * s * G_max * eta + K * W_max * G_max * G_norm * eta * eta / 2
        K_best = jnp.minimum(K_t, K_t_sharp)
        rate = jnp.where(eta * K_best <= 2, 1 - mu_t * eta * (2 - eta * K_best),
                         1 + eta * (eta * K_best - 2) * K * s)
        Z = Z - eta * g
        then = _evaluate(data, Z)
        decrease = (gap - then[1]) / (eta * P)
        row = jnp.stack([loss, gap, gap_bound, jnp.sqrt(P), mu_t, s_min, s, W_max, 1 - mu_t * gap / (P / 2), rate, eta,
                         K_t, K_t_sharp, decrease - (1 - eta * K_best / 2), rate - then[1] / gap, 2 * decrease - 1])
        return (Z, then, gap_bound * rate), row

    first = _evaluate(data, Z)
    return jax.lax.scan(step, (Z, first, first[1]), given)[1]


def _evaluate(data, Z):
    X, Y, _, _, minimum = data
    n = X.shape[1]
    W1, W2t = Z[:n], Z[n:]
    W = W1 @ W2t.T
    R = X @ W - Y
    G = X.T @ R
    g = jnp.concatenate([G @ W2t, G.T @ W1])
    loss = jnp.vdot(R, R) / 2
    grams = [W.T @ W, G.T @ G] if W.shape[0] > W.shape[1] else [W @ W.T, G @ G.T]
    (W_ends, G_ends), ends1, ends2 = _ends(jnp.stack(grams)), _ends(W1 @ W1.T), _ends(W2t @ W2t.T)
    return (loss, loss - minimum, jnp.vdot(g, g), ends1[0] + ends2[0], ends1[1] + ends2[1], jnp.sqrt(W_ends[1]),
            jnp.sqrt(G_ends[1]), jnp.sqrt(jnp.vdot(G, G)), g)


@functools.partial(jnp.vectorize, signature="(n,n)->(k)")
def _ends(gram):
    return jnp.linalg.eigvalsh(gram, symmetrize_input=False)[jnp.array([0, -1])]


def _local_step(K, s_max_sq, g, W_max):
    c = K * s_max_sq + g
    B, A = 3 * (K * s_max_sq / c) * (g / c), 3 * (K * W_max / c) * (g / c) ** 2

    def newton(_, x):
        return x - (((A * x + B) * x + 1) * x - 1) / ((3 * A * x + 2 * B) * x + 1)

    # from above, where it converges whatever A and B; a few more steps than it takes
    return jax.lax.fori_loop(0, 8, newton, 1.0) / c
