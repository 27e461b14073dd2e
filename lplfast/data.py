"""Data for the command line: an embedded problem, named real datasets, files."""

import numpy as np

from .arrays import read_matrix

__all__ = ["DATASETS", "default_data", "load_data", "one_hot", "read_data", "standardized"]


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
    return bunch.data, bunch.target


def _diabetes(sklearn_datasets):
    bunch = sklearn_datasets.load_diabetes(scaled=False)
    return bunch.data, bunch.target


def _breast_cancer(sklearn_datasets):
    bunch = sklearn_datasets.load_breast_cancer()
    return bunch.data, bunch.target


DATASETS = {
    "breast_cancer": _breast_cancer,
    "digits": _digits,
    "diabetes": _diabetes,
}


def load_data(name):
    """Return X and targets of a dataset that comes with scikit-learn; classes are integers from 0 on.

    `"breast_cancer"`: 569 tumours, 30 measurements, as measured; 1 where benign.
    `"digits"`: 1797 images of 64 pixels, 10 classes, X of rank 61.
    `"diabetes"`: 442 patients, 10 measurements, as measured; Y is one number each.
    """
    if name not in DATASETS:
        raise ValueError(f"data: expected one of {', '.join(map(repr, DATASETS))}, got {name!r}")
    try:
        import sklearn.datasets
    except ImportError as error:
        raise ImportError('named datasets need scikit-learn: pip install "lplfast[data]"') from error
    return DATASETS[name](sklearn.datasets)


def one_hot(labels):
    """Return integer labels from 0 on as indicator columns, and anything else as it is."""
    labels = np.asarray(labels)
    return np.eye(labels.max() + 1)[labels] if labels.ndim == 1 and labels.dtype.kind in "iu" else labels


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
