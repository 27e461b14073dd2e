"""Compiled losses as values: by what they are made again, told apart and refused, and what they say of themselves."""

import pickle

import numpy as np
import pytest

from lplfast import MatrixFactorization, Problem, SquaredLoss
from lplfast.losses.cross_entropy import Logistic, Softmax
from lplfast.losses.function import PythonLoss
from lplfast.losses.loss import Loss, digest
from lplfast.losses.pseudo_huber import PseudoHuber


def value_and_gradient(W):
    return 0.0, W


def kernels():
    """One compiled loss of each class, by functions of nothing."""
    X, logits, W = np.array([[1.0, 2.0]]), np.array([[0.1, 0.7]]), np.ones((2, 2))
    rows = {"mu": 0.1, "K": 3.0, "minimum": 0.5, "weight": 0.5, "l2": 0.1, "uncertainty": 1e-9}
    return {
        "factorization": MatrixFactorization([[1.0, 2.0]]).kernel,
        "ridge": SquaredLoss([[1.0, 2.0], [3.0, 5.0]], [1.0, 0.0], l2=0.1).kernel,
        "softmax": Softmax(X, logits, W, **rows), "logistic": Logistic(X, logits, W, **rows),
        "pseudo-huber": PseudoHuber(X, logits, W, delta=0.5, blur=1e-8, **rows),
        "python": PythonLoss(value_and_gradient, (2, 3), mu=0.0, K=1.0, minimum=0.0, lower_bound=-1.0,
                             uncertainty=0.5)}


@pytest.mark.parametrize("name", kernels())
def test_options_make_a_compiled_loss_again_and_each_is_in_its_fingerprint(name):
    kernel = kernels()[name]
    options, kind = kernel.options, type(kernel)
    assert digest({"": kind.__qualname__, **options}) == kernel.fingerprint
    assert kind(**options).fingerprint == pickle.loads(pickle.dumps(kernel)).fingerprint == kernel.fingerprint
    for option, value in options.items():
        if value is None or callable(value):
            continue
        changed = (value[0] + 1, value[1]) if option == "shape" else np.nextafter(value, 9.0)
        assert kind(**{**options, option: changed}).fingerprint != kernel.fingerprint, option
    # what is handed out is a copy
    for value in options.values():
        if isinstance(value, np.ndarray):
            value[:] = 7.0
    assert kernel.fingerprint == kernels()[name].fingerprint


def test_shapes_names_and_missing_values_are_in_a_digest():
    values = [{"a": 1.0}, {"b": 1.0}, {"a": [1.0]}, {"a": [[1.0]]}, {"a": None}, {"a": "None"}, {"a": ()}, {}]
    assert len({digest(value) for value in values}) == len(values)
    assert digest({"a": value_and_gradient}) == digest({})
    with pytest.raises(TypeError, match="a: expected numbers"):
        digest({"a": object()})


def test_a_loss_that_does_not_say_its_options_is_refused():
    class Mute(Loss):
        pass
    mute = Mute((2, 2), mu=0.0, K=1.0)
    with pytest.raises(TypeError, match="kernel: expected a loss whose class defines `options`"):
        Problem(mute)
    with pytest.raises(NotImplementedError, match="options: expected Mute"):
        pickle.dumps(mute)


@pytest.mark.parametrize(("name", "hessian", "target"), [
    # of Y = (1, 2): its one singular value is its norm
    ("factorization", [1.0], (5**0.5, 5**0.5, 1)),
    # trace and determinant of X.T X + l2 I are 39.2 and 1 + 39 l2 + l2^2
    ("ridge", [19.6 - (19.6**2 - 4.91) ** 0.5, 19.6 + (19.6**2 - 4.91) ** 0.5], None),
    ("softmax", None, None), ("logistic", None, None), ("python", None, None)])
def test_a_loss_says_whether_it_is_quadratic_and_what_its_targets_are(name, hessian, target):
    kernel = kernels()[name]
    assert kernel.quadratic == (hessian is not None)
    assert (kernel.hessian is None) if hessian is None else np.allclose(sorted(kernel.hessian), hessian, rtol=1e-12)
    assert (kernel.target_summary is None) if target is None else np.allclose(kernel.target_summary, target, rtol=1e-15)
    assert (kernel.minimizer is None) == (name == "python")
