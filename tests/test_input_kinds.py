"""Whatever kind of array a public function is given, it says the same to the last bit, and leaves the array as it was.

Torch's tensors are tested likewise in tests_torch, where PyTorch is installed.
"""

import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray
from input_kinds import CALLS, HUNDREDS, LABELS, bits, expected

from lplfast import Network, SoftmaxLoss, SquaredLoss


def frame(array):
    """A DataFrame or a Series, with an index that is none of positions."""
    index = [f"row {i}" for i in range(len(array))][::-1]
    if array.ndim == 1:
        return pd.Series(array, index=index)
    return pd.DataFrame(array, index=index, columns=[f"c{j}" for j in range(array.shape[1])])


def labelled(array):
    names = ["row", "column"][:array.ndim]
    return xarray.DataArray(array, dims=names, coords={names[0]: np.arange(len(array))[::-1]})


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    """Every second entry of a larger array, last to first in memory."""
    larger = np.full([2 * length for length in array.shape], np.nan)
    view = larger[tuple(slice(None, None, -2) for _ in array.shape)]
    view[...] = array
    return view


def misaligned(array):
    room = np.empty(array.nbytes + 1, np.uint8)[1:].view(np.float64)
    room = room.reshape(array.shape)
    room[...] = array
    return room


def mapped(order):
    def made(array, folder):
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        np.save(path, np.asarray(array, order=order))
        return np.load(path, mmap_mode="r")
    return made


KINDS = {
    "list": lambda array, folder: array.tolist(),
    "tuples": lambda array, folder: tuple(map(tuple, array.tolist())) if array.ndim == 2 else tuple(array.tolist()),
    "DataFrame": lambda array, folder: frame(array),
    "nullable DataFrame": lambda array, folder: frame(array).astype("Float64"),
    "xarray": lambda array, folder: labelled(array),
    "dask": lambda array, folder: dask.array.from_array(array, chunks=2),
    "memmap": mapped("C"), "Fortran memmap": mapped("F"),
    "float32": lambda array, folder: array.astype("f4"),
    "longdouble": lambda array, folder: array.astype(np.longdouble),
    "big-endian": lambda array, folder: array.astype(">f8"),
    "read-only": lambda array, folder: read_only(array),
    "Fortran": lambda array, folder: np.asfortranarray(array),
    "strided": lambda array, folder: strided(array), "misaligned": lambda array, folder: misaligned(array),
    "masked": lambda array, folder: np.ma.masked_array(array, np.zeros(array.shape, bool)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CALLS)
def test_every_kind_of_array_has_the_same_bits_and_stays_as_it_is(name, kind, tmp_path):
    handed = []

    def made(array):
        array = np.asarray(array)
        handed.append((KINDS[kind](array, tmp_path), array.copy()))
        return handed[-1][0]

    assert bits(CALLS[name](made)) == expected(name)
    assert handed
    for now, before in handed:
        assert np.array_equal(np.asarray(now), before)


@pytest.mark.parametrize("kind", [int, "int8", "uint16", object, bool], ids=str)
def test_other_numbers_mean_what_they_say(kind):
    whole = (HUNDREDS > 0) if kind is bool else abs(HUNDREDS) % 100
    if kind is object:
        with pytest.raises(TypeError, match=r"\.astype\(float\)"):
            SquaredLoss(whole.astype(object), whole)
        return
    given = SquaredLoss(whole.astype(kind), whole.astype(kind))
    assert bits(given.minimizer) == bits(SquaredLoss(whole * 1.0, whole * 1.0).minimizer)


def test_labels_of_any_kind_are_the_same_classes():
    classes = bits(SoftmaxLoss(HUNDREDS, LABELS, l2=1.0).minimizer)
    words = np.array(["a", "b", "c"])[LABELS.astype(int)]
    for labels in (words, words.tolist(), pd.Series(words, index=np.arange(12)[::-1]), pd.Categorical(words),
                   pd.Series(pd.Categorical(words, categories=["c", "unused", "b", "a"])), words.astype(object),
                   LABELS.astype("i1"), LABELS.astype(">i4"), labelled(words), pd.Series(words, dtype="string")):
        assert bits(SoftmaxLoss(HUNDREDS, labels, l2=1.0).minimizer) == classes


class Tensor:
    """What an array of PyTorch's has that matters here: numbers behind methods."""

    def __init__(self, array, *, grad=False):
        self.array, self.grad = array, grad

    def detach(self):
        return Tensor(self.array)

    def cpu(self):
        return self

    def double(self):
        return Tensor(self.array.astype(float), grad=self.grad)

    def __array__(self, dtype=None, copy=None):
        if self.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return np.array(self.array, dtype=dtype)


class Linear:
    def __init__(self, weight, bias=None):
        self.weight, self.bias = Tensor(weight, grad=True), bias


def test_layers_of_torchs_kind_are_transposed():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((9, 4)), rng.standard_normal((3, 9))
    network = Network.from_torch(Linear(first), Linear(second))
    assert np.array_equal(network.W1, first.T)
    assert np.array_equal(network.W2, second.T)
    single = Network.from_torch(Linear(first.astype("f4")), Linear(second))
    assert np.array_equal(single.W1, first.astype("f4").T)
    with pytest.raises(ValueError, match=r"first: expected a layer without bias.*bias=False"):
        Network.from_torch(Linear(first, bias=np.zeros(9)), Linear(second))
    with pytest.raises(TypeError, match=r"second: expected a torch\.nn\.Linear, got ndarray"):
        Network.from_torch(Linear(first), second)
    for arguments in ([[Linear(first), Linear(second)]], [Linear(first)], [None, None]):
        with pytest.raises(TypeError, match=r"Linear.*Network\.from_torch\(model\[0\], model\[1\]\)"):
            Network.from_torch(*arguments)
    with pytest.raises(ValueError, match=r"first\.weight: expected finite numbers"):
        Network.from_torch(Linear(first * np.nan), Linear(second))
    with pytest.raises(ValueError, match="W1, W2: expected shapes"):
        Network.from_torch(Linear(second), Linear(first))
    with pytest.raises(TypeError, match=r"W1: expected an array of numbers, got Tensor: .*detach\(\)"):
        Network(Tensor(first, grad=True), second)
