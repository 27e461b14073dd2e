"""The public names and how they are called: a change here is a change for every user."""

import inspect
import pathlib
import re

import pytest

import lplfast
from lplfast.descent.history import COLUMNS
from lplfast.rules import catalogue

ROOT = pathlib.Path(__file__).parent.parent
# as they stand in the table of docs/rules.md
OF_RULES = dict(re.findall(r"`([A-Z]\w+)\((.*?)\)`", (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
                           .partition("## A rule")[0]))

SIGNATURES = {
    "CustomLoss": "(value_and_gradient, *, shape, mu, K=None, minimum=None, minimizer=None, lower_bound=None, "
                  "mu_kind='strong', hessian_form=None, concordance=None)",
    "LogisticLoss": "(X, Y, *, l2, reduction='sum', offset=None)",
    "MatrixFactorization": "(Y, *, offset=None)",
    "Network": "(W1, W2)",
    "Observer": "(problem, network)",
    "Problem": "(kernel, *, rows=None, basis=None, minimizer=None)",
    "PseudoHuberLoss": "(X, Y, *, delta, l2, reduction='sum', offset=None)",
    "SoftmaxLoss": "(X, labels, *, l2, reduction='sum', offset=None)",
    "SquaredLoss": "(X, Y, *, l2=0.0, reduction='sum', offset=None)",
    "check_loss": "(problem, *, points=(), rng=0)",
    "compare": "(runs, labels=None)",
    "explain": "(store, name)",
    "guaranteed_rate": "(problem, network, *, rule=None, factor=1e-06, constants=None)",
    "guaranteed_stationarity": "(problem, network, *, rule=None, constants=None)",
    "initial_bounds": "(problem, network, *, margins='best')",
    "local_constants": "(problem, network)",
    "plan": "(problem, network, step_size=None, **options)",
    "predicted_curve": "(problem, network, step_sizes, iterations, *, order=1)",
    "show_versions": "()",
    "sweep": "(experiment, grid, *, seeds=10, store=None, name=None, n_jobs=None, backend='threading', "
             "on_mismatch='refuse', progress=False)",
    "train": "(problem, network, step_size=None, *, max_iter=1000, tol=None, grad_tol=None, max_growth=None, "
             "max_time=None, n_threads=1, constants=None, compress=None, layer_scales=None, record=None, "
             "record_every=None, callback=None, callback_every=1, checkpoint=None, checkpoint_every=60.0, "
             "progress=False)",
    "train_many": "(problems, networks, step_sizes=None, *, n_threads=None, max_iter=1000, tol=None, grad_tol=None, "
                  "max_growth=None, max_time=None, constants=None, compress=None, layer_scales=None, record=None, "
                  "record_every=None, callback=None, callback_every=1, checkpoint=None, checkpoint_every=60.0, "
                  "progress=False)",
}

# what is returned, or only subclassed or caught: its attributes count
ATTRIBUTES = {
    "GuaranteedRate": "A B contraction drift_at drift_limit drifts eta_cap eta_min gap_at gaps iterations_to message "
                      "rate rule tail tail_contraction vacuous",
    "GuaranteedStationarity": "B eta_cap eta_min gap grad_norm_after iterations_to message rule unreached vacuous",
    "InitialBounds": "K K_upper after alpha beta gap imbalance margins mu_lower p1 p2",
    "Interrupted": "run runs",
    "IterateView": "G G_max G_norm K K_t K_t_sharp W W1 W2 eta g1 g2 gap grad_norm loss memory mu mu_t nu_hi nu_lo "
                   "previous_g1 previous_g2 sigma_max_W sigma_max_sq sigma_min_sq t unreached",
    "LocalConstants": "G_max G_norm K K_t K_t_sharp brackets gap gap_above grad_norm kernel_extremes kind loss mu mu_t "
                      "sigma_max_W sigma_max_sq sigma_min_sq",
    "LossReport": "claims passed problems",
    "Network": "W1 W2 balanced compressed_width from_arrays from_blocks from_files from_torch gaussian "
               "gaussian_implicit imbalance_eigenvalues m n product replace save_layers spectral stack to_arrays "
               "to_torch width",
    "PredictedCurve": "distance gap_lower gap_upper gram_drift linear_gap order step_sizes width",
    "Rule": "needs needs_B needs_previous needs_tau options take_error",
    "Run": "audit certificate checks continuation converged counters facts guarantee guarantee_from history iterations "
           "load message network plot save status to_csv to_dataframe to_xarray verdict violations",
}

HISTORY = ("iteration loss gap gap_bound grad_norm mu_t sigma_min_sq sigma_max_sq sigma_max_W nu_lo nu_hi "
           "sharpness_lo sharpness_hi drift "
           "loss_evaluations gradient_evaluations eigenproblems backtracks rounding floor bracket_width time "
           "slack_pl rate_bound step_size K_t K_t_sharp K_t_step slack_descent slack_rate slack_drift")


def test_all_public_names_are_listed_here():
    assert set(lplfast.__all__) - {"__version__"} == {*SIGNATURES, *ATTRIBUTES, *catalogue.__all__}
    assert len(set(lplfast.__all__)) == len(lplfast.__all__)
    assert set(catalogue.__all__) <= set(lplfast.steps.__all__)


def called(function):
    """Return how a function is called, without the annotations, which test_typed.py looks at."""
    found = inspect.signature(function)
    plain = [parameter.replace(annotation=parameter.empty) for parameter in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=found.empty))


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    assert called(getattr(lplfast, name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(name):
    cls = getattr(lplfast, name)
    names = {attribute for attribute in dir(cls) if not attribute.startswith("_")}
    names |= {attribute for attribute in getattr(cls, "__annotations__", {}) if not attribute.startswith("_")}
    if name in ("Run", "Interrupted"):      # set when they are made
        made = inspect.getsource(cls.__init__)
        names |= {line.split("=")[0].strip().removeprefix("self.") for line in made.splitlines()
                  if line.strip().startswith("self.")}
    inherited = set(dir(KeyboardInterrupt)) if name == "Interrupted" else set()
    assert names - inherited == set(ATTRIBUTES[name].split())


def test_columns():
    assert tuple(HISTORY.split()) == COLUMNS


@pytest.mark.parametrize("name", catalogue.__all__)
def test_a_rule_is_called_as_its_line_in_the_docs_says(name):
    found = inspect.signature(getattr(lplfast, name))
    assert called(getattr(lplfast, name)) == f"({OF_RULES[name]})"
    assert documented(inspect.getdoc(getattr(lplfast, name))) == list(found.parameters)
    theory = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{name}\(", theory, flags=re.MULTILINE), "no row in docs/theory.md, section 4"


def documented(docstring):
    """Return the names that the section "Parameters" of a docstring explains, of its lines `name, name : type`."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n---|\Z)", docstring, flags=re.MULTILINE | re.DOTALL)
    names = re.findall(r"^(\S.*?)(?: :.*)?$", section[1], flags=re.MULTILINE) if section else []
    return [name for line in names for name in line.split(", ")]


@pytest.mark.parametrize("name", sorted({*SIGNATURES, *ATTRIBUTES}))
def test_every_argument_is_documented(name):
    said = inspect.getdoc(getattr(lplfast, name))
    assert said
    if name in SIGNATURES:
        assert documented(said) == list(inspect.signature(getattr(lplfast, name)).parameters)
