"""Compiled classes and functions that are called directly, as badly as can be: a clear error, never a crash."""

import importlib
import pkgutil
import re
import threading
import time
from decimal import Decimal

import numpy as np
import pytest
from cases import EXPECTED, start

import lplfast
from lplfast import Armijo, Constant, Contraction, Local, Majorizer, MatrixFactorization, Network, Rule, Sharp, train
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS, table_of
from lplfast.descent.state import State
from lplfast.linalg.compress import extend_factor, orthonormal_rows, triangular_factor
from lplfast.losses.cross_entropy import CrossEntropy, Logistic, Softmax
from lplfast.losses.function import PythonLoss
from lplfast.losses.loss import Loss
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.rules import formulas
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.modes import spectral_from

KERNEL = MatrixFactorization([[2.0, 1.0], [0.0, 1.0]]).kernel
WIDE = np.ones((2, 4))


def compiled_classes():
    modules = [importlib.import_module(module.name) for module in
               pkgutil.walk_packages(lplfast.__path__, "lplfast.") if "__main__" not in module.name]
    kinds = {kind for module in modules if module.__file__.endswith((".so", ".pyd"))
             for kind in vars(module).values() if isinstance(kind, type)}
    return sorted((kind for kind in kinds if kind.__module__.startswith("lplfast.") and "__pyx_vtable__" in vars(kind)),
                  key=lambda kind: kind.__name__)


def descent(rule=None, loss=KERNEL):
    return Descent(loss, Sharp() if rule is None else rule, Certified(), np.ones((4, 2)))


def test_every_compiled_class_is_looked_at():
    assert {Loss, DiagonalQuadratic, Softmax, Rule, Majorizer, Certified, Descent, State} <= set(compiled_classes())


@pytest.mark.parametrize("kind", compiled_classes(), ids=lambda kind: kind.__name__)
def test_what_new_alone_has_made_works_or_says_what_it_is(kind):
    """Its attributes, its methods without arguments, and what takes it."""
    def tried(call):
        error = None
        try:
            return call()
        except (TypeError, RuntimeError, NotImplementedError) as raised:
            error = raised
        assert re.search("expected|argument|the iterate is gone|cannot pickle", str(error))
        return None

    if issubclass(kind, State):
        with pytest.raises(TypeError):
            kind.__new__(kind)
        return
    made = kind.__new__(kind)
    for name in dir(made):
        if not name.startswith("_") or name in ("__repr__", "__hash__", "__reduce__"):
            found = tried(lambda name=name: getattr(made, name))
            if callable(found) and not isinstance(found, type):
                tried(found)
                tried(lambda found=found: found(np.zeros((0, 0))))
    parts = [KERNEL, Sharp(), Certified()]
    for i, base in enumerate((Loss, Rule, kind.__mro__[-2])):
        if isinstance(made, base):
            tried(lambda i=i: Descent(*parts[:i], made, *parts[i + 1:], np.ones((4, 2))).advance(
                np.zeros((2, len(COLUMNS)))))


@pytest.mark.parametrize("kind", [DiagonalQuadratic, Softmax, Logistic, CrossEntropy, PythonLoss],
                         ids=lambda kind: kind.__name__)
def test_a_loss_that_only_its_base_has_made_is_refused(kind):
    made = kind.__new__(kind)
    Loss.__init__(made, (2, 2), mu=1.0, K=1.0)
    for call in (made.value_and_gradient, lambda W: descent(loss=made)):
        with pytest.raises(TypeError, match=f"{kind.__name__}: expected a loss that its __init__ has made"):
            call(np.zeros((2, 2)))


@pytest.mark.parametrize("K", [np.empty((0, 0)), np.ones(3), Decimal("sNaN"), [1.0], "1", np.nan, np.inf], ids=repr)
def test_a_curvature_that_is_none(K):
    with pytest.raises((TypeError, ValueError), match=f"K: {EXPECTED}"):
        PythonLoss(KERNEL.value_and_gradient, (2, 2), mu=1.0, K=K)


def test_a_loss_is_not_made_twice():
    kernel = MatrixFactorization([[2.0]]).kernel
    with pytest.raises(TypeError, match="expected a loss to be left as it is"):
        kernel.__init__([1.0, 2.0], [[1.0], [2.0]])
    assert kernel.hessian.tolist() == [1.0]


@pytest.mark.parametrize("base", [Local, Sharp, Majorizer, Contraction, Armijo], ids=lambda base: base.__name__)
def test_a_rule_whose_subclass_forgets_the_init_of_its_base(base):
    class Forgetful(base):
        def __init__(self):
            pass

    _, problem, network = start()
    run = train(problem, network, Forgetful(), max_iter=3)
    if base is not Armijo:      # its fractions are 0, so that it finds no step
        other = train(problem, network, base(), max_iter=3)
        assert np.array_equal(run.history["step_size"], other.history["step_size"], equal_nan=True)


def test_spectral_parts_that_are_none():
    for made in (Certified.__new__(Certified), Exact.__new__(Exact)):
        for call in (spectral_from, lambda part: Descent(KERNEL, Sharp(), part, np.ones((4, 2)))):
            with pytest.raises(TypeError, match=f"constants: {EXPECTED}"):
                call(made)


BAD_ARRAYS = {
    "structured": np.zeros((2, 2), "f8,i4"), "nested": np.zeros((2, 2), [("a", "f8", (2, 2)), ("b", [("c", "O")])]),
    "none": None, "vector": np.zeros(2), "cube": np.zeros((2, 2, 2)), "scalar": np.float64(1.0),
    "text": [["x"] * 2] * 2,
    "objects": np.zeros((2, 2), object), "complex": np.zeros((2, 2), complex), "empty": np.zeros((2, 0)),
    "dates": np.zeros((2, 2), "M8[s]"), "void": np.zeros((2, 2), "V8"), "masked": np.ma.masked_all((2, 2)),
}
TAKERS = {
    "value_and_gradient": KERNEL.value_and_gradient,
    "stack": lambda bad: Descent(KERNEL, Sharp(), Certified(), bad),
    "rows": lambda bad: descent().advance(bad),
    "restore": lambda bad: descent().restore(bad),
    "copied rows": lambda bad: table_of(bad, np.zeros(2), [0]),
    "copied columns": lambda bad: table_of(np.zeros((1, 2)), np.zeros(2), bad),
    "triangular_factor": lambda bad: triangular_factor(bad, 1.0),
    "extended columns": lambda bad: extend_factor(np.eye(2), bad, 1.0),
    "extended factor": lambda bad: extend_factor(bad, np.ones((2, 3)), 1.0),
    "orthonormal_rows": lambda bad: orthonormal_rows(bad, 1.0),
    "X": lambda bad: Softmax(bad, WIDE, WIDE, mu=0.1, K=1.0, minimum=0.0, l2=0.1),
    "logits": lambda bad: Softmax(np.ones((3, 2)), bad, WIDE, mu=0.1, K=1.0, minimum=0.0, l2=0.1),
    "W_star": lambda bad: Logistic(np.ones((3, 7)), WIDE, bad, mu=0.1, K=1.0, minimum=0.0, l2=0.1),
    "d": lambda bad: DiagonalQuadratic(bad, np.ones((5, 3))),
    "K_t": lambda bad: formulas.K_t(bad, 1.0, 1.0, 1.0, 0.1),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("bad", BAD_ARRAYS)
def test_arrays_that_kernels_do_not_take(taker, bad):
    if bad == "scalar" and taker == "K_t":
        assert TAKERS[taker](BAD_ARRAYS[bad]) > 0.0
        return
    with pytest.raises((TypeError, ValueError)):
        TAKERS[taker](BAD_ARRAYS[bad])


def test_arrays_that_kernels_take_in_any_layout():
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    misaligned = np.frombuffer(b"x" + W.tobytes(), np.uint8)[1:].view(np.float64).reshape(2, 2)
    expected = KERNEL.value_and_gradient(W)
    for other in (W.T.copy().T, W.astype(">f8"), W.astype(int), W.tolist(), misaligned, W[::-1][::-1]):
        found = KERNEL.value_and_gradient(other)
        assert found[:2] == expected[:2]
        assert np.array_equal(found[2], expected[2])


@pytest.mark.parametrize(("columns", "last"), [([-1], 28), ([28], 28), ([2**62], 28), ([0], 27), ([0, 1], 29),
                                               ([0], 0)])
def test_columns_that_are_out_of_range(columns, last):
    with pytest.raises(ValueError, match=EXPECTED):
        table_of(np.zeros((3, 28)), np.zeros(last), columns)


@pytest.mark.parametrize("last", [None, 1.0, np.zeros((1, 28)), ["x"] * 28, np.zeros(28, complex)])
def test_a_last_row_that_is_none(last):
    with pytest.raises((TypeError, ValueError), match=f"last: {EXPECTED}"):
        table_of(np.zeros((3, 28)), last, [0])


def test_a_factor_of_a_stack_that_is_not_wide():
    for factor in (triangular_factor, orthonormal_rows):
        with pytest.raises(ValueError, match="stack: expected a shape"):
            factor(np.ones((3, 2)), 1.0)


@pytest.mark.parametrize("every", [0, -1, 2**63, 1.5, True])
def test_a_stride_of_the_history_that_is_none(every):
    with pytest.raises((TypeError, ValueError), match="every: expected an integer >= 1"):
        descent().advance(np.zeros((2, len(COLUMNS))), every=every)


def test_rows_that_cannot_be_written_to():
    frozen = np.zeros((2, len(COLUMNS)))
    frozen.flags.writeable = False
    for rows in (frozen, np.zeros((4, len(COLUMNS)))[::2], np.zeros((2, len(COLUMNS)), ">f8"), np.zeros((0, 28))):
        with pytest.raises((TypeError, ValueError), match="rows: expected"):
            descent().advance(rows)


def test_a_state_of_no_counts_is_refused_and_changes_nothing():
    at = descent()
    before = at.state()
    for bad in (np.nan, np.inf):
        saved = before.copy()
        saved[0] = bad
        with pytest.raises(ValueError, match="memory: expected finite counts"):
            at.restore(saved)
    assert at.state().tobytes() == before.tobytes()


def test_a_descent_that_is_under_way_is_left_alone():
    """The row that is filled, and the room that is left, are those of one call."""
    said = []

    class Meddling(Rule):
        def choose(self, iterate):
            for call in (lambda: at.advance(np.zeros((64, len(COLUMNS)))), lambda: at.restore(at.state())):
                try:
                    call()
                except RuntimeError as error:
                    said.append(str(error))
            return 0.01

    at = descent(Meddling())
    rows = np.full((5, len(COLUMNS)), np.nan)
    assert at.advance(rows[:3]) == "running"
    assert at.t == 3
    assert len(said) == 6
    assert "is under way" in said[0]
    assert np.isnan(rows[3:]).all()
    at.restore(at.state())


def test_only_a_call_that_is_told_to_ends_by_the_clock():
    """Or how far a caller comes would depend on the machine."""
    class Slow(Rule):
        def choose(self, iterate):
            time.sleep(0.06)
            return 0.01

    rows = np.empty((4, len(COLUMNS)))
    at = descent(Slow())
    assert at.advance(rows) == "running"
    assert at.t == 4
    at = descent(Slow())
    assert at.advance(rows, budget=0.1) == "running"
    assert 1 <= at.t <= 2


def test_a_view_is_gone_before_what_the_rule_returned_is_looked_at():
    """What it is turned into a number by, or told by in an error, is the user's code too."""
    kept, seen = [], []

    def look():
        try:
            seen.append(kept[-1].W1)
        except RuntimeError as error:
            seen.append(str(error))

    class Telling(Rule):
        def choose(self, iterate):
            kept.append(iterate)
            return "x"

        def __repr__(self):
            look()
            return "Telling()"

    class Number(float):
        def __float__(self):
            look()
            return 0.01

    def choose(iterate):
        kept.append(iterate)
        return Number(0.02)

    with pytest.raises(TypeError, match=r"expected a number from Telling\(\)"):
        descent(Telling()).advance(np.zeros((1, len(COLUMNS))))
    assert train(*start()[1:], choose, max_iter=1).iterations == 1
    assert seen
    assert all(isinstance(what, str) and "is gone" in what for what in seen)


def test_a_step_beyond_float64_is_no_step():
    _, problem, network = start()
    assert train(problem, network, lambda iterate: 10**400).status == "stalled"


class Racing(Network):
    """A network that another thread compresses just after its basis has been looked at."""

    raced = False

    @property
    def _basis(self):
        found = vars(self).get("kept")
        if not self.raced and vars(self).get("_small", 0) is None:
            self.raced = True
            other = threading.Thread(target=self._compress)
            other.start()
            other.join()
        return found

    @_basis.setter
    def _basis(self, basis):
        vars(self)["kept"] = basis


def test_a_network_that_another_thread_compresses_is_the_same_network():
    plain = Network.gaussian(2, 50, 2, rng=0)
    assert Racing(plain.W1, plain.W2).width == 50
    again = Network.from_arrays(Racing(plain.W1, plain.W2).to_arrays())
    assert again.width == 50
    assert np.allclose(again.W1, plain.W1, atol=1e-12)


def test_a_guarantee_that_two_threads_work_out():
    class Asked(type(train(*start()[1:], max_iter=1).guarantee)):
        @property
        def _origin(self):
            found, vars(self)["looked"] = vars(self)["origin"], vars(self).get("looked", 0) + 1
            if self.looked == 1:
                other = threading.Thread(target=self._work_out)
                other.start()
                other.join()
            return found

        @_origin.setter
        def _origin(self, origin):
            vars(self)["origin"] = origin

    _, problem, network = start()
    guarantee = Asked(problem, network, Constant(0.01), Certified(), 1.0)
    assert guarantee.bounds.gap >= 1.0
    assert guarantee.bounds is guarantee.bounds
