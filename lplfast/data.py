"""Data: an embedded problem, named real datasets, files; standardized columns, indicators of labels."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from .annotations import Array, ArrayLike, FilePath
from .losses.labels import as_codes, indicators
from .tables import read_table
from .validation import as_array, as_choice, as_count, as_matrix, as_number, shown

__all__ = ["DATASETS", "Standardized", "default_data", "load_data", "one_hot", "read_data", "standardized",
           "with_intercept"]

# An answer about two files, or one for each.
Answer = bool | None | tuple[bool | None, bool | None]


def default_data(*, n: int = 20, m: int = 20, condition: float = 10.0, seed: int = 0) -> tuple[Array, Array]:
    """Return X (n, n), Y (n, m): singular values evenly spaced from 1/condition to 1, random directions.

    The targets are those of a linear map with independent normal entries of variance 1/n.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer, the condition no positive number, the seed no integer >= 0.
    MemoryError
        If they do not fit into memory.

    """
    n, m, seed = as_count("n", n), as_count("m", m), as_count("seed", seed, least=0)
    condition = as_number("condition", condition, positive=True)
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


def load_data(name: str) -> tuple[Array, Array | npt.NDArray[np.integer]]:
    """Return X and targets of a dataset that comes with scikit-learn; classes are integers from 0 on.

    `"breast_cancer"`: 569 tumours, 30 measurements, as measured; 1 where benign.
    `"digits"`: 1797 images of 64 pixels, 10 classes, X of rank 61.
    `"diabetes"`: 442 patients, 10 measurements, as measured; Y is one number each.
    """
    as_choice("data", name, DATASETS)
    try:
        import sklearn.datasets
    except ImportError as error:
        raise ImportError('named datasets need scikit-learn: pip install "lplfast[data]"') from error
    return DATASETS[name](sklearn.datasets)


def one_hot(labels: ArrayLike) -> npt.NDArray[Any]:
    """Return labels as indicator columns, one for each of the sorted distinct ones, and what is no labels as it is.

    Labels are a vector of integers, booleans or strings, as for SoftmaxLoss, pandas' categories too. Floats, whole ones
    included, and matrices are taken for numbers and returned as an array.
    """
    array = as_array("labels", labels)
    if array.ndim != 1 or array.dtype.kind not in "biuUSTO":
        return array
    classes, codes = as_codes("labels", labels)
    return indicators(codes, len(classes))


def read_data(x_path: FilePath, y_path: FilePath, *, header: Answer = None,
              index: Answer = None) -> tuple[Array, Array]:
    """Return X, Y from two files, .npy or text; each error names its file.

    In a text, lines that begin with # are comments, and a first line without any number holds names of columns: both
    are left out. Whatever else may be names or data is an error that names the line or the column: numbers above the
    columns as pandas writes them, row labels of pandas, R and Excel.

    Parameters
    ----------
    x_path, y_path : path
        The files, one sample a row.
    header : bool or pair of bools, optional
        Whether the first line of a text holds names of columns: of both files, or of each.
    index : bool or pair of bools, optional
        Whether the first column of a text holds labels of rows: of both files, or of each.

    Raises
    ------
    OSError
        If one cannot be read.
    TypeError, ValueError
        If it holds no finite matrix, or one that has to be asked about; if they have different numbers of rows.

    """
    headers, indices = _of_each("header", header), _of_each("index", index)
    (X, doubt), (Y, other) = (read_table(path, header=names, index=labels) for path, names, labels in
                              zip((x_path, y_path), headers, indices, strict=True))
    if doubt and other:
        raise ValueError(f"{x_path}, {y_path}, line 1: expected to know what it is: 0 may be the name of the column, "
                         "as pandas writes it, or a row of data: say header=True or header=False")
    if len(X) != len(Y):
        hint = ("; if the first line of one of them is a name that is a number, say header=True"
                if abs(len(X) - len(Y)) == 1 and None in headers else "")
        raise ValueError(f"{x_path}, {y_path}: expected as many rows, one sample each, got {len(X)} and {len(Y)}{hint}")
    return X, Y


def _of_each(name, flag):
    """Return an option of the two files as a pair."""
    if flag is None or isinstance(flag, bool | np.bool_):
        return flag, flag
    if isinstance(flag, tuple | list) and len(flag) == 2:
        return tuple(flag)
    raise TypeError(f"{name}: expected True, False or a pair of them, got {shown(flag)}")


def with_intercept(X: ArrayLike) -> Array:
    """Return X with a last column of ones, (N, n + 1): the last row of W is then the intercept.

    A ridge penalizes it like every other row.

    Raises
    ------
    TypeError, ValueError
        On anything but a finite real matrix.

    Examples
    --------
    >>> with_intercept([[2.0], [3.0]]).tolist()
    [[2.0, 1.0], [3.0, 1.0]]

    With standardized columns: `W_raw, shift = scaled.restore(W[:-1])`, and the intercept is `shift + W[-1]`.
    """
    X = as_matrix("X", X)
    return np.hstack([X, np.ones((len(X), 1))])


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Standardized:
    """Columns of mean 0 and standard deviation 1, and the way back. NumPy takes it for its `X`.

    Attributes
    ----------
    X : (N, n) array
        `(raw - mean) / scale`; constant columns are 0.
    mean : (n,) array
        The means of the raw columns.
    scale : (n,) array
        Their standard deviations (divided by N); 1 for constant columns.
    constant : (n,) bool array
        Which columns have N equal entries.

    Examples
    --------
    >>> scaled = standardized([[1.0, 5.0], [3.0, 5.0]])
    >>> scaled
    Standardized(2 x 2, 1 constant column)
    >>> scaled.X.tolist(), scaled.mean.tolist(), scaled.scale.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [2.0, 5.0], [1.0, 1.0])
    >>> W, intercept = scaled.restore([[3.0], [7.0]])
    >>> W.tolist(), intercept.tolist()
    ([[3.0], [0.0]], [-6.0])

    """

    X: Array
    mean: Array
    scale: Array
    constant: npt.NDArray[np.bool_]

    def restore(self, W: ArrayLike) -> tuple[Array, Any]:
        """Return the coefficients in raw units, and the intercept, of coefficients of the standardized columns.

        `raw @ W_raw + intercept` is `X @ W`, up to rounding in the left side: `W_raw = W / scale`, with rows of 0 for
        constant columns, and `intercept = -mean @ W_raw`.

        Parameters
        ----------
        W : (n, m) or (n,) array_like
            Coefficients, such as `W1 @ W2`.

        Returns
        -------
        W_raw : array of the shape of `W`
        intercept : (m,) array, or a float for a vector `W`

        Raises
        ------
        TypeError, ValueError
            If `W` is no matrix of n rows, or if the raw units take its coefficients beyond float64.

        """
        vector = as_array("W", W).ndim == 1
        W = as_matrix("W", W, vector_as_column=True)
        if len(W) != len(self.scale):
            raise ValueError(f"W: expected {len(self.scale)} rows, one for each column of X, got {len(W)}")
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            W_raw = np.where(self.constant[:, np.newaxis], 0.0, W / self.scale[:, np.newaxis])
            intercept = -(self.mean @ W_raw)
        # a deviation among the last numbers of float64 has few digits, and so would what is divided by it
        if not (np.isfinite(intercept).all() and self.scale.min() >= np.finfo(float).tiny):
            raise ValueError("W: expected coefficients that are float64 numbers in the units of X, got columns of X "
                             f"with deviations down to {self.scale.min():.3g}; rescale X")
        return (W_raw[:, 0], float(intercept[0])) if vector else (W_raw, intercept)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.X, dtype=dtype) if copy else np.asarray(self.X, dtype=dtype)

    def __repr__(self):
        count = int(self.constant.sum())
        return f"Standardized({self.X.shape[0]} x {self.X.shape[1]}, {count} constant column{'s' * (count != 1)})"


def standardized(X: ArrayLike) -> Standardized:
    """Return X with columns of mean 0 and standard deviation 1 (divided by N), as a `Standardized`.

    A column is constant, and becomes 0, if all its entries are equal; one that varies in its last digits only is taken
    at its word and scaled like any other. Each entry is right to some `(2 + |entry|) u log2(N)`, u = 2^-53, whatever
    the size of its column, of its mean or of other columns.

    Raises
    ------
    TypeError, ValueError
        On anything but a finite real matrix.

    """
    X = as_matrix("X", X)
    constant = np.equal(X, X[0]).all(axis=0)
    # columns as contiguous rows, which NumPy sums up in pairs; powers of 2 bring each below 1, exactly
    columns = np.ascontiguousarray(X.T)
    exponents = np.frexp(abs(columns).max(axis=1))[1][:, np.newaxis]
    columns = np.ldexp(columns, -exponents)
    # differences from the median lose nothing of what an entry differs from the mean by
    center = np.partition(columns, len(X) // 2, axis=1)[:, [len(X) // 2]]
    columns -= center
    shift = columns.mean(axis=1, keepdims=True)
    columns -= shift
    shift += (rest := columns.mean(axis=1, keepdims=True))
    columns -= rest
    spread = np.where(constant[:, np.newaxis], 1.0, np.sqrt(np.square(columns).mean(axis=1, keepdims=True)))
    columns[constant] = 0.0
    mean = np.where(constant, X[0], np.ldexp(center + shift, exponents)[:, 0])
    scale = np.ldexp(spread, np.where(constant[:, np.newaxis], 0, exponents))[:, 0]
    parts = np.ascontiguousarray((columns / spread).T), mean, scale, constant
    for part in parts:
        part.flags.writeable = False
    return Standardized(*parts)
