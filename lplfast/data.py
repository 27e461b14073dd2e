"""Data for the command line: an embedded problem, named real datasets, files."""

import numpy as np

from .arrays import read_matrix

__all__ = ["DATASETS", "default_data", "load_data", "read_data", "standardized"]


def default_data(*, n=20, m=20, condition=10.0, seed=0):
    """Return X (n, n), Y (n, m): singular values evenly spaced from 1/condition to 1, random directions.

    The targets are those of a linear map with independent normal entries of variance 1/n.
    """
    rng = np.random.default_rng([seed, n, m])
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    X = (U * np.linspace(1.0, 1.0 / condition, n)) @ V.T
    return X, X @ rng.standard_normal((n, m)) / np.sqrt(n)


def _digits(sklearn_datasets):
    bunch = sklearn_datasets.load_digits()
    return bunch.data, np.eye(10)[bunch.target]


def _diabetes(sklearn_datasets):
    bunch = sklearn_datasets.load_diabetes(scaled=False)
    return bunch.data, bunch.target


DATASETS = {
    "digits": _digits,
    "diabetes": _diabetes,
}


def load_data(name):
    """Return X, Y of a dataset that comes with scikit-learn.

    `"digits"`: 1797 images of 64 pixels, one-hot targets of 10 classes, X of rank 61.
    `"diabetes"`: 442 patients, 10 measurements, as measured; Y is one number each.
    """
    if name not in DATASETS:
        raise ValueError(f"data: expected one of {', '.join(map(repr, DATASETS))}, got {name!r}")
    try:
        import sklearn.datasets
    except ImportError as error:
        raise ImportError('named datasets need scikit-learn: pip install "lplfast[data]"') from error
    return DATASETS[name](sklearn.datasets)


def read_data(x_path, y_path):
    """Return X, Y from two files, .npy or text; each error names its file."""
    return read_matrix(x_path), read_matrix(y_path)


def standardized(X):
    """Return X with columns of mean 0 and standard deviation 1; constant columns become 0."""
    X = X - X.mean(axis=0)
    spread = X.std(axis=0)
    # a constant column leaves rounding errors, not zeros
    constant = spread <= X.shape[0] * np.finfo(float).eps * np.abs(X).max(initial=0.0)
    return np.where(constant, 0.0, X / np.where(constant, 1.0, spread))
