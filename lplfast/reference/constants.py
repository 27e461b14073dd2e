"""The local constants at an iterate, and what they guarantee of a step (docs/theory.md, sections 2, 3 and 9)."""

import numpy as np

__all__ = ["K_t", "K_t_sharp", "K_t_step", "curvature", "local_constants", "local_pl", "normal_rate",
           "rate_bound", "unreached"]


def local_constants(loss, W1, W2):
    """Return a dict of everything that the local constants are made of."""
    W = W1 @ W2
    G = loss.gradient(W)
    s1 = np.linalg.svd(loss.basis.T @ W1, compute_uv=False)
    s2 = np.linalg.svd(W2, compute_uv=False)
    h = W1.shape[1]
    smallest1 = s1[-1] if h >= loss.basis.shape[1] else 0.0
    smallest2 = s2[-1] if h >= W2.shape[1] else 0.0
    at = {
        "K": loss.K,
        "mu": loss.mu,
        "target": loss.target,
        "evaluate": (loss.gap, loss.gradient),
        "loss": loss.value(W),
        "gap": loss.gap(W),
        "unreached": unreached(loss, h),
        "grad_norm": np.hypot(np.linalg.norm(G @ W2.T), np.linalg.norm(W1.T @ G)),
        "G_norm": np.linalg.norm(G),
        "G_max": np.linalg.norm(G, 2),
        "sigma_min_sq": smallest1**2 + smallest2**2,
        "sigma_max_sq": s1[0] ** 2 + s2[0] ** 2,
        "sigma_max_W": np.linalg.norm(loss.basis.T @ W, 2),
        "mu_t": loss.mu * (smallest1**2 + smallest2**2),
        "W1": loss.basis.T @ W1,
        "W2": W2,
        "W": W,
        "G": G,
        # what the loss sees of the product moves by -eta tau + eta^2 B
        "tau": loss.basis @ (loss.basis.T @ (G @ W2.T @ W2 + W1 @ W1.T @ G)),
        "B": G @ W2.T @ W1.T @ G,
        "gradient": np.concatenate([(G @ W2.T).ravel(), (W1.T @ G).ravel()]),
        "hessian": loss.hessian,
        "basis": loss.basis,
        "growth": loss.growth,
    }
    at["pl"] = max(loss.mu, loss.pl(W)) if loss.pl else loss.mu
    at["nu_lo"], at["nu_hi"] = at["pl"] * at["sigma_min_sq"], np.nan
    if loss.hessian is not None:
        least, at["nu_hi"] = _tangent_extremes(loss, W1, W2)
        at["nu_lo"] = max(at["nu_lo"], least)       # a least eigenvalue of 0 comes out as some -u
    # the Hessian of L is within ||G||_2 of its Gauss-Newton part, whose greatest eigenvalue is nu_hi
    at["sharpness_lo"] = max(0.0, at["nu_hi"] - at["G_max"]) if loss.hessian is not None else np.nan
    at["sharpness_hi"] = (at["nu_hi"] if loss.hessian is not None else loss.K * at["sigma_max_sq"]) + at["G_max"]
    # a bound on ||H^(1/2) B||_F that needs no B
    at["curve"] = np.sqrt(loss.K) * min(np.linalg.norm(G @ W2.T) * np.linalg.norm(W1.T @ G),
                                        at["G_max"] * at["sigma_max_W"] * at["G_norm"])
    return at


def unreached(loss, h):
    """Return how far above l* a quadratic loss stays on products of width h; 0 of other losses."""
    if loss.hessian is None:
        return 0.0
    values, vectors = np.linalg.eigh(loss.hessian)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    s = np.linalg.svd(root @ loss.minimizer, compute_uv=False)
    return np.sum(s[h:] ** 2) / 2


def _tangent_extremes(loss, W1, W2):
    """Return the extreme eigenvalues of the tangent kernel, `H U W2.T W2 + H^(1/2) W1 W1.T H^(1/2) U` as a map of U."""
    values, vectors = np.linalg.eigh(loss.basis.T @ loss.hessian @ loss.basis)
    root = vectors * np.sqrt(values) @ vectors.T
    one = loss.basis.T @ W1
    # on an eigenvector of W2.T W2, p its eigenvalue, it is an (n, n) matrix
    spectra = [np.linalg.eigvalsh(root @ (p * np.eye(len(one)) + one @ one.T) @ root)
               for p in np.linalg.eigvalsh(W2.T @ W2)]
    return np.min(spectra), np.max(spectra)


def K_t(at, eta):
    """Return the local smoothness constant of Xu et al. (2025) of a step of size eta."""
    K, s, g = at["K"], at["sigma_max_sq"], np.sqrt(2 * at["K"] * at["gap"])
    return K * s + g + 3 * K * s * g * eta + 6 * K**2 * at["sigma_max_W"] * at["gap"] * eta**2


def K_t_sharp(at, eta):
    """Return the sharper local smoothness constant of docs/theory.md, section 3."""
    K, s, G = at["K"], at["sigma_max_sq"], at["G_max"]
    return K * s + G + K * s * G * eta + K * at["sigma_max_W"] * G * at["G_norm"] * eta**2 / 2


def curvature(at, U, V):
    """Return <U, H V>, H the Hessian of a quadratic loss."""
    return np.vdot(U, at["hessian"] @ V)


def K_t_step(at, eta):
    """Return the K of which the descent lemma is an equality for a step of size eta, if it is below K_t_sharp."""
    move, a = -eta * at["tau"] + eta**2 * at["B"], at["grad_norm"] ** 2
    if at["hessian"] is None:
        gap, _ = at["evaluate"]
        decrease = at["gap"] - gap(at["W"] + move)
    else:
        decrease = -np.vdot(at["G"], move) - curvature(at, move, move) / 2
    return min(K_t(at, eta), K_t_sharp(at, eta), 2 * (eta * a - decrease) / (eta**2 * a))


def local_pl(at):
    """Return the PL constant that is known at this iterate, of a loss that is not quadratic with both gradients."""
    if at["hessian"] is not None or at["G_norm"] == 0:
        return at["nu_lo"]
    return max(at["nu_lo"], at["pl"] * at["grad_norm"] ** 2 / at["G_norm"] ** 2)


def normal_rate(at, eta):
    """Return the ratio of gaps that the squares of `Q - eta M(Q)` guarantee for a quadratic loss."""
    bent = K_t_sharp(at, eta) - at["K"] * at["sigma_max_sq"]
    return max(1 - eta * nu * (2 - eta * (nu + bent)) for nu in (at["nu_lo"], at["nu_hi"]))


def rate_bound(at, eta):
    """Return the best guaranteed ratio of gaps for a step of size eta."""
    K, PL, smoothness = at["K"], local_pl(at), K_t_step(at, eta)
    rates = [1 - PL * eta * (2 - eta * smoothness) if eta * smoothness <= 2
             else 1 + eta * (eta * smoothness - 2) * K * at["sigma_max_sq"]]
    if at["hessian"] is not None:
        rates.append((max(1 - eta * at["nu_lo"], eta * at["nu_hi"] - 1)
                      + eta**2 * at["curve"] / np.sqrt(2 * at["gap"])) ** 2)
        rates.append(normal_rate(at, eta))
    return min(rates)
