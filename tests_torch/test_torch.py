"""What needs PyTorch itself: run by .ci/run in a stage of its own, which installs it, and not with the other tests."""

import pathlib
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from input_kinds import CALLS, bits, expected

from lplfast import MatrixFactorization, Network, Observer

DOCS = pathlib.Path(__file__).parent.parent / "docs"


def test_the_page_trains_in_both_and_certifies(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```$", (DOCS / "torch.md").read_text(encoding="utf-8"),
                         flags=re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(code, "docs/torch.md", "exec"), names)
    theirs, ours = names["theirs"], names["ours"]
    # 100 steps of two loops that round differently; both contract (docs/theory.md, section 5)
    assert np.allclose(theirs.history["gap"], ours.history["gap"], rtol=1e-9)
    assert np.allclose(names["trained"].W1, ours.network.W1, rtol=0, atol=1e-12)
    assert np.allclose(names["trained"].W2, ours.network.W2, rtol=0, atol=1e-12)
    assert theirs.checks["descent"]["steps"] == theirs.iterations == 100
    assert theirs.violations == 0
    assert theirs.history["gap"][-1] < 0.1 * theirs.history["gap"][0]
    assert "100 of 100 steps were gradient steps" in capsys.readouterr().out


@given(n=st.integers(1, 6), h=st.integers(1, 9), m=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_there_and_back_are_the_same_bits(n, h, m, seed):
    network = Network.gaussian(n, h, m, rng=seed)
    first, second = network.to_torch()
    assert (first.weight.shape, second.weight.shape) == ((h, n), (m, h))
    again = Network.from_torch(first, second)
    assert np.array_equal(again.W1, network.W1)
    assert np.array_equal(again.W2, network.W2)
    x = torch.randn(3, n, dtype=torch.float64)
    # sums of n and h products
    assert np.allclose(second(first(x)).detach(), x.numpy() @ network.W1 @ network.W2, rtol=1e-12, atol=1e-12)


def test_layers_are_copies_and_no_number_is_drawn():
    network = Network.gaussian(2, 5, 3, rng=0)
    torch.manual_seed(0)
    next_one = torch.rand(1)
    torch.manual_seed(0)
    first, second = network.to_torch()
    assert torch.rand(1) == next_one
    taken, before = Network.from_torch(first, second), network.W1.copy()
    with torch.no_grad():
        first.weight.zero_()
    assert np.array_equal(network.W1, before)
    assert np.array_equal(taken.W1, before)
    assert first.weight.requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_layers_of_any_precision(dtype):
    first, second = (torch.nn.Linear(*shape, bias=False).to(dtype) for shape in ((4, 9), (9, 3)))
    network = Network.from_torch(first, second)
    assert np.array_equal(network.W1, first.weight.detach().double().numpy().T)


def test_what_is_no_pair_of_layers_is_refused():
    good = torch.nn.Linear(4, 9, bias=False)
    with pytest.raises(ValueError, match="second: expected a layer without bias"):
        Network.from_torch(good, torch.nn.Linear(9, 3))
    with pytest.raises(TypeError, match=r"first: expected a torch\.nn\.Linear, got ReLU"):
        Network.from_torch(torch.nn.ReLU(), good)
    with pytest.raises(ValueError, match="W1, W2: expected shapes"):
        Network.from_torch(good, good)
    with pytest.raises(ValueError, match=r"second\.weight: expected 2 dimensions"):
        Network.from_torch(good, torch.nn.Conv1d(9, 3, 1, bias=False))


@pytest.mark.parametrize("name", CALLS)
def test_tensors_have_the_bits_of_arrays_and_stay_as_they_are(name):
    handed = []

    def tensor(array):
        array = np.asarray(array)
        handed.append((torch.tensor(array), array.copy()))
        return handed[-1][0]

    assert bits(CALLS[name](tensor)) == expected(name)
    assert handed
    for now, before in handed:
        assert np.array_equal(now.numpy(), before)


def test_a_loop_in_single_precision_is_observed():
    torch.manual_seed(0)
    target = torch.randn(6, 4)
    model = torch.nn.Sequential(torch.nn.Linear(6, 50, bias=False), torch.nn.Linear(50, 4, bias=False))
    observer = Observer(MatrixFactorization(target), Network.from_torch(*model))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    taken = []
    for _ in range(100):
        optimizer.zero_grad()
        (0.5 * (model(torch.eye(6)) - target).square().sum()).backward()
        optimizer.step()
        taken.append(observer.update(*(layer.weight.detach().T for layer in model), step_size=0.05))
    assert all(taken)
    assert observer.run.violations == 0
    checked = observer.run.checks["descent"]
    assert checked["uninformative"] < checked["steps"] == 100
    with pytest.raises(TypeError, match="W1: expected an array of numbers, got Tensor"):
        observer.update(model[0].weight.T, model[1].weight.T)
