"""What is returned, and what it is asked: its methods, files, figures, and what every object has."""

import copy
import inspect
import pathlib
import pickle

import lplfast
from lplfast import Run, compare, initial_bounds, local_constants, plots, steps
from lplfast.guarantees.envelope import GuaranteedRate

from . import objects
from .calls import call


def of_results(draw):
    """What results are asked."""
    problem, start = objects.pair(draw)
    found = local_constants(problem, start)
    bounds = initial_bounds(problem, start)
    rate = GuaranteedRate(0.5, 0.5, None, 0.1, 0.1, 1.0, 1.0, draw.chance(0.5), "",
                          gaps=draw.pick([(), (4.0, 1.0)]), drifts=draw.pick([(), (0.0, 0.1)]), tail_contraction=0.5)
    return draw.pick([
        lambda: call(found.K_t, draw.some(draw.number())), lambda: call(found.K_t_sharp, draw.some(0.1)),
        lambda: call(bounds.K_upper, draw.some(draw.number())), lambda: call(rate.iterations_to, draw.some(0.5)),
        lambda: call(draw.pick([rate.gap_at, rate.drift_at]), draw.some(draw.pick([0, 3, [0, 1, 5]]))),
        lambda: call(bounds.after, draw.some(draw.pick([0.0, draw.rng.random(3)])))])()


def of_run(draw):
    _, made = objects.run(draw)
    name = draw.pick(["audit", "to_dataframe", "to_xarray", "plot", "converged", "violations", "verdict", "certificate",
                      "repr", "guarantee_from"])

    def read():
        if name == "guarantee_from":
            return made.guarantee_from(-1).message if made.guarantee.bounds and "floor" in made.history else ""
        found = repr(made) if name == "repr" else getattr(made, name)
        return str(found() if callable(found) else found)
    return call(read, documents=())


def saved(draw):
    _, made = objects.run(draw)
    made.save("good.npz")
    content = bytearray(pathlib.Path("good.npz").read_bytes())
    for _ in range(draw.pick([0, 1, 20])):
        content[draw.random.randrange(len(content))] = draw.random.randrange(256)
    with open("bad.npz", "wb") as file:
        file.write(content[:draw.pick([None, draw.random.randrange(len(content))])])
    return draw.pick([lambda: call(made.save, draw.some("run.npz")), lambda: call(made.to_csv, draw.some("run.csv")),
                      lambda: call(Run.load, draw.some(draw.pick(["good.npz", "bad.npz", "missing.npz", "."])))])()


def compared(draw):
    _, made = objects.run(draw)
    _, other = objects.run(draw)
    runs = draw.some(draw.pick([[made, other], {"a": made, "b": other}, [draw.some(made)]]))
    function = draw.pick([compare, plots.compare])
    options = draw.options(labels=lambda: ["a", "b"])
    if function is plots.compare:
        options |= draw.options(x=lambda: draw.pick(["time", "iteration"]))
    return call(function, runs, **options)


def drawn_figure(draw):
    _, made = objects.run(draw)
    function = draw.pick([plots.plot_gap, plots.plot_rate, plots.plot_step_size, plots.plot_constants,
                          plots.overview])
    from matplotlib.figure import Figure
    options = {} if function is plots.overview else {"ax": draw.some(Figure().subplots())}
    return call(function, draw.some(made), **options)


def values_of(draw):
    """repr, hash, equality, copies and pickles of everything that has been made."""
    made = draw.pick([objects.problem, objects.network, objects.spectral, lambda draw: objects.run(draw)[1],
                      lambda draw: steps.rule_from(draw.pick(steps.RULES)), objects.by_new])(draw)
    use = draw.pick([repr, hash, copy.copy, copy.deepcopy, lambda made: made == 1, lambda made: made != made,
                     lambda made: pickle.loads(pickle.dumps(made)), str])

    def used(made):
        try:
            return use(made)
        except (AttributeError, pickle.PicklingError) as error:
            # functions inside functions do not pickle
            if "local object" not in str(error) and "lambda" not in str(error) and "Subclass" not in str(error):
                raise
    return call(used, made, documents=(lplfast.losses.loss.Loss.options,))


def attributes(draw):
    """Any public attribute of anything, with any arguments if it is a method."""
    made = draw.pick([objects.problem, objects.network, lambda draw: objects.run(draw)[1], objects.kernel,
                      objects.spectral, objects.descent, objects.by_new,
                      lambda draw: objects.run(draw)[1].guarantee])(draw)
    kind = type(made)
    name = draw.pick(name for name in dir(made) if not name.startswith("_") and name not in WIDE)

    def used(*arguments, **options):
        found = getattr(made, name)
        return found(*arguments, **options) if callable(found) else found
    documented = inspect.getattr_static(kind, name, None)
    arguments = [draw.bad() for _ in range(draw.pick([0, 1, 1, 2, 3]))]
    used.__name__ = f"{kind.__name__}.{name}"
    return call(used, *arguments, documents=(kind, documented, getattr(documented, "__func__", None)))


# of an implicit network these are terabytes; dicts are checked by the schema of files; the rest is for the solver alone
WIDE = {"W1", "W2", "stack", "save_layers", "replace", "from_arrays", "to_arrays", "from_kernel", "to_kernel",
        "from_dict", "at", "function"}

TARGETS = {name: function for name, function in list(vars().items())
           if inspect.isfunction(function) and function.__module__ == __name__}
