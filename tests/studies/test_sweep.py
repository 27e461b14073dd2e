"""One call for a grid: streams from labels, results padded into a dataset, failures as data."""

import random
import threading
import time

import numpy as np
import pytest
import xarray
from studies_experiments import GRID, PROBLEM, drawn, planned

from lplfast import Network, plan, sweep, train
from lplfast.studies.grid import Cell, Grid

ONE = {"size": [3]}


def test_every_cell_is_what_its_own_stream_makes():
    found = sweep(planned, GRID, seeds=3)
    assert found.sizes == {"rule": 2, "width": 2, "seed": 3, "iteration": found.sizes["iteration"]}
    for cell in Grid(GRID, 3).cells():
        run = train(PROBLEM, Network.gaussian(3, cell.parameters["width"], 3, rng=cell.generator(0)),
                    cell.parameters["rule"], tol=1e-8)
        ours = found.stack(cell=("rule", "width", "seed")).isel(cell=cell.place)
        assert (ours.status, ours.iterations, ours.violations) == (run.status, run.iterations, run.violations)
        assert ours.final_gap == run.history["gap"][-1]
        for name, column in run.history.items():
            if name not in ("iteration", "time"):
                values = ours[name].values
                assert values[:len(column)].tobytes() == column.tobytes()
                assert np.isnan(values[len(column):]).all()
    assert "time" not in found
    assert found.iteration.values.tolist() == list(range(found.sizes["iteration"]))
    assert found.failed == 0


@pytest.mark.parametrize("n_jobs", [1, 2, 5, None])
def test_the_same_bits_for_any_number_of_threads_and_any_order(n_jobs):
    found = sweep(planned, GRID, seeds=3, n_jobs=n_jobs)
    turned = sweep(planned, {"width": [20, 4], "rule": ["sharp", "local"]}, seeds=[2, 0, 1], n_jobs=n_jobs)
    assert turned.transpose(*found.dims).reindex_like(found).drop_attrs().equals(found.drop_attrs())


def test_what_an_experiment_returns_is_padded_and_keeps_its_attributes():
    found = sweep(drawn, {"size": [3, 1, 4]}, seeds=2)
    assert found["mean"].dims == ("size", "seed")
    assert found.size_again.dtype == np.int64
    assert found.size_again.values.tolist() == [[3, 3], [1, 1], [4, 4]]
    assert found.path.dims == ("size", "seed", "step")
    assert np.isnan(found.path.values).sum(axis=2).tolist() == [[1, 1], [3, 3], [0, 0]]
    assert found.table.shape == (3, 2, 4, 2)
    assert np.isnan(found.table.values[1, 0, 1:]).all()
    assert found.table.attrs == {"units": "m"}
    assert found.name.values.tolist() == [["n3"] * 2, ["n1"] * 2, ["n4"] * 2]
    assert found.even.dtype == bool
    rng = next(cell for cell in Grid({"size": [3, 1, 4]}, 2).cells() if cell.place == 5).generator(0)
    assert found["mean"].values[2, 1] == rng.random(4).mean()
    assert found.path.values[2, 1].tolist() == rng.random(4).tolist()


def test_what_fails_is_data_and_the_rest_goes_on():
    found = sweep(drawn, {"size": [3, 2]}, seeds=2)
    assert found.error.values.tolist() == [["", ""], ["ArithmeticError: two is refused"] * 2]
    assert found.failed == 2
    assert np.isnan(found["mean"].values[1]).all()
    assert found["even"].values.tolist()[0] == [0.0, 0.0]
    assert found.name.values[1].tolist() == ["", ""]
    # the greatest that there is room for
    most = sweep(lambda rng, size: {"x": np.uint64(2**63 - 1)}, ONE, seeds=1)
    assert most.x.dtype == np.int64
    assert most.x.item() == 2**63 - 1
    for bad in (2**63, np.uint64(2**63 + 5), np.array([0, 2**64 - 1], dtype=np.uint64), 2**64):
        assert "integers below 2^63, got" in sweep(lambda rng, size, bad=bad: {"x": bad}, ONE, seeds=1).error.item()
    # all of them, and what is no result
    for bad in ([1.0], None, {"x": object()}, {"x": [[1.0], [2.0, 3.0]]}, {"size": 1}, {"x": ("size", [1.0])},
                {"x": ("y", 1.0)}, {1: 2.0}, {"x": (("x", "y"), [[1.0]])},
                {"x": ("y", [1.0], {"of": object})}, {"x": ("x", [1.0, np.nan])}):
        found = sweep(lambda rng, size, bad=bad: bad, ONE, seeds=1)
        assert "expected" in found.error.item()
    assert "step_size" in sweep(lambda rng, size: plan(PROBLEM, Network.gaussian(3, size, 3, rng=rng), "no-rule"), ONE,
                                seeds=1).error.item()


def test_cells_that_return_different_things():
    def experiment(rng, size):
        if size == 1:
            return {"gap": ("iteration", rng.random(2)), "iteration": ("iteration", [0, 5])}
        record = ["gap", "loss"] if size == 2 else ["gap"]
        return plan(PROBLEM, Network.gaussian(3, 20, 3, rng=rng), max_iter=4, tol=0.0, record=record)

    found = sweep(experiment, {"size": [1, 2, 3]}, seeds=2, n_jobs=1)
    assert found.failed == 0
    assert found.iteration.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isnan(found.gap.values[0]).sum(axis=1).tolist() == [4, 4]
    assert np.isfinite(found.gap.values[1:, :, :5]).all()
    assert np.isfinite(found.loss.values).sum(axis=2).tolist() == [[0, 0], [5, 5], [0, 0]]


def test_what_is_another_thing_in_some_cells_is_their_failure(tmp_path):
    def experiment(rng, size):
        if size == 6:
            return {"at": ("at", [1, 2]), "y": ("at", [1.0])}
        return {"x": rng.random(), "y": size} if size % 2 else {"x": rng.random(size), "y": "even"}

    sizes = [5, 4, 3, 2, 6]
    # whatever the groups
    found = sweep(experiment, {"size": sizes}, seeds=3, n_jobs=1, store=tmp_path)
    assert found.identical(sweep(experiment, {"size": sizes}, seeds=3, n_jobs=5, name="experiment"))
    assert found.x.dims == ("size", "seed")
    assert np.isnan(found.x.values).any(axis=1).tolist() == [False, True, False, True, True]
    assert found.failed == 9
    assert found.error.values[1, 0] == ("ValueError: x: expected numbers with dimensions (), as in the first cell, got "
                                        "numbers with dimensions (x_0)")
    assert found.error.values[4, 0] == "ValueError: y: expected 2 values along at, as that coordinate has, got 1"
    # what only other cells of the store have is not there
    alone = sweep(experiment, {"size": [4, 2]}, seeds=3, store=tmp_path)
    assert alone.identical(sweep(experiment, {"size": [4, 2]}, seeds=3))
    assert alone.failed == 0
    assert alone.y.values.tolist() == [["even"] * 3] * 2


def test_a_plan_whose_function_raises_is_the_failure_of_its_cell():
    def experiment(rng, size):
        return plan(PROBLEM, Network.gaussian(3, 5, 3, rng=rng), lambda iterate: 1 / (size - 1))

    found = sweep(experiment, {"size": [1, 100]}, seeds=1)
    assert found.error.values.ravel().tolist() == ["ZeroDivisionError: division by zero", ""]


def test_coordinates_of_the_experiment_align():
    def experiment(rng, size):
        at = np.arange(size, 8, size)
        return {"at": ("at", at), "square": ("at", at**2), "sum": (("k", "at"), [at, at + 1])}

    found = sweep(experiment, {"size": [2, 3]}, seeds=1)
    assert found["at"].values.tolist() == [2, 3, 4, 6]
    np.testing.assert_array_equal(found.square.values[:, 0], [[4, np.nan, 16, 36], [np.nan, 9, np.nan, 36]])
    np.testing.assert_array_equal(found["sum"].values[1, 0], [[np.nan, 3, np.nan, 6], [np.nan, 4, np.nan, 7]])


def test_a_coordinate_that_some_cells_do_not_return(tmp_path):
    def experiment(rng, size):
        if size == 1:
            return {"square": ("at", [1.0, 4.0]), "alone": 7.0}
        if size == 5:
            return {"alone": 8.0}
        return {"square": ("at", [4.0, 9.0, 16.0]), "at": [2, 3, 4]}

    # whichever comes first, and in whatever groups
    for sizes in ([1, 2, 5, 3], [2, 1, 3, 5]):
        found = sweep(experiment, {"size": sizes}, seeds=2, store=tmp_path)
        assert found["at"].values.tolist() == [2, 3, 4]
        assert found.failed == 2
        assert set(found.error.sel(size=1).values) == {"ValueError: square: expected the coordinate at with it, as "
                                                       "other cells have it, got none"}
        assert found.square.sel(size=[2, 3]).values.tolist() == [[[4.0, 9.0, 16.0]] * 2] * 2
        assert np.isnan(found.square.sel(size=[1, 5])).all()
        assert found.alone.sel(size=[1, 5], seed=0).values.tolist() == [7.0, 8.0]
    # where no cell has it, values stand at their numbers
    assert sweep(experiment, {"size": [1, 5]}, seeds=1, store=tmp_path).square.sizes["at"] == 2
    # where it comes alone, nothing stands along it
    found = sweep(lambda rng, size: {"x": ("at", [1.0])} if size == 1 else {"at": ("at", [5, 6])}, {"size": [1, 2]},
                  seeds=1)
    assert found.failed == 1
    assert np.isnan(found.x.values).all()
    # and where it is another thing in the first cell, it is none
    found = sweep(lambda rng, size: {"x": ("at", [1.0]), "at": ("at", [5]) if size == 2 else "five"},
                  {"size": [1, 2]}, seeds=1)
    assert found.error.values.ravel().tolist() == ["", "ValueError: at: expected text with dimensions (), as in the "
                                                       "first cell, got numbers with dimensions (at)"]
    assert found.x.values.ravel().tolist() == [1.0, 1.0]


def test_runs_datasets_and_thinned_histories(monkeypatch):
    def experiment(rng, every):
        return train(PROBLEM, Network.gaussian(3, 5, 3, rng=rng), record=["gap", "time"], record_every=every, tol=0.0,
                     max_iter=50)

    found = sweep(experiment, {"every": [3, 4]}, seeds=1)
    assert found.iteration.values.tolist() == sorted({*range(0, 51, 3), *range(0, 51, 4)})
    assert np.isfinite(found.time.values[0, 0, found.iteration.values % 3 == 0]).all()
    assert found.time.attrs["units"] == "s"
    whole = sweep(experiment, {"every": [1]}, seeds=2)
    monkeypatch.setattr("lplfast.studies.dataset.LIMIT", 8 * 51 * 2 * 2 // 4)
    thin = sweep(experiment, {"every": [1]}, seeds=2)
    assert thin.thinned_iteration == "one in 4"
    assert thin.gap.equals(whole.gap[..., ::4])
    inner = sweep(lambda rng, size: xarray.Dataset({"x": ("k", rng.random(size), {"units": "s"})}), ONE, seeds=1)
    assert inner.x.dims == ("size", "seed", "k")
    assert inner.x.units == "s"


def test_objects_by_their_labels_and_grids_without_dimensions():
    found = sweep(lambda rng, of: {"x": of(rng.random())}, {"of": {"same": abs, "negative": lambda x: -x}}, seeds=2)
    assert found.of.values.tolist() == ["same", "negative"]
    assert (found.x.values[0] > 0).all()
    assert (found.x.values[1] < 0).all()
    assert sweep(lambda rng: {"x": rng.random()}, {}, seeds=4).x.dims == ("seed",)


def test_a_netcdf_file_of_it_reads_back(tmp_path):
    for found in (sweep(drawn, {"size": [3, 2]}, seeds=2), sweep(planned, GRID, seeds=2)):
        found.to_netcdf(tmp_path / "study.nc", engine="h5netcdf")
        with xarray.open_dataset(tmp_path / "study.nc", engine="h5netcdf") as again:
            assert again.load().identical(found)


@pytest.mark.parametrize("seed", range(20))
def test_a_key_is_of_the_labels_and_not_of_their_order(seed):
    rng = random.Random(seed)
    labels = [-3, 0, 0.5, 2, 7.25, 1e300]
    grid = {name: rng.sample(labels, rng.randint(1, 3)) for name in rng.sample("abc", rng.randint(1, 3))}
    seeds = rng.sample(range(9), 3)

    def keys(grid):
        return {(*sorted(cell.parameters.items()), seeds[cell.place % 3]): cell.key for cell in grid.cells()}

    turned = {name: labels[::-1] for name, labels in reversed(grid.items())}
    found = keys(Grid(grid, seeds))
    assert keys(Grid(turned, seeds)) == found
    assert len(set(found.values())) == len(found)


def test_keys_and_streams_stay_what_they_are():
    # a store of before must find its cells
    (cell,) = Grid({"rule": ["local"], "std": [0.5]}, [7]).cells()
    assert cell == Cell(0, bytes.fromhex("71ec84b88a240583dc126070d9641fd6"), {"rule": "local", "std": 0.5})
    assert cell.generator(0).integers(2**32) == 1248660681


@pytest.mark.parametrize(("arguments", "named"), [
    ({"experiment": 1}, "experiment: expected"), ({"grid": [1]}, "grid: expected a dict"),
    ({"grid": {"seed": [1]}}, "grid: expected names"), ({"grid": {"a b": [1]}}, "grid: expected names"),
    ({"grid": {"size": 3}}, "grid.'size'.: expected a list"), ({"grid": {"size": "ab"}}, "grid.'size'.: expected a l"),
    ({"grid": {"size": []}}, "at least one label"), ({"grid": {"size": [1, "a"]}}, "labels of one kind"),
    ({"grid": {"size": [1, True]}}, "labels of one kind"), ({"grid": {"size": [1, 1.0]}}, "distinct labels"),
    ({"grid": {"size": [None]}}, "labels that are bool"), ({"grid": {"size": [float("nan")]}}, "not NaN"),
    ({"grid": {"size": [2**70]}}, "below 2.63"), ({"seeds": 0}, "seeds: expected"), ({"seeds": [1, 1]}, "distinct"),
    ({"seeds": [-1]}, "seeds: expected"), ({"seeds": "3"}, "seeds: expected"), ({"seeds": [0.5]}, "seeds: expected"),
    ({"backend": "mpi"}, "backend: expected one of 'threading', 'loky', 'dask'"), ({"n_jobs": 0}, "n_jobs: expected"),
    ({"n_jobs": 1.5}, "n_jobs: expected"), ({"on_mismatch": "go"}, "on_mismatch: expected"),
    ({"progress": 1}, "progress: expected"), ({"store": 1}, "store: expected"),
    ({"store": "x", "name": "a/b"}, "name: expected"), ({"store": "x", "name": ""}, "name: expected"),
    ({"store": "x", "name": "."}, "name: expected"), ({"store": "x", "name": 1}, "name: expected"),
], ids=str)
def test_bad_arguments(arguments, named):
    given = {"experiment": drawn, "grid": ONE, **arguments}
    with pytest.raises((TypeError, ValueError), match=named):
        sweep(given.pop("experiment"), given.pop("grid"), **given)


def test_an_experiment_without_a_name_needs_one_for_its_store(tmp_path):
    with pytest.raises(ValueError, match="name: expected"):
        sweep(lambda rng: {"x": 1}, {}, store=tmp_path)


def test_an_exit_ends_all_and_stops_what_threads_are_at():
    begun = threading.Event()

    def experiment(rng, size):
        if size == 1:
            assert begun.wait(10)
            raise KeyboardInterrupt

        def step(iterate):
            begun.set()
            return 1e-9

        # for ever, if nobody stopped it
        return plan(PROBLEM, Network.gaussian(3, 5, 3, rng=rng), step, max_iter=10**9, tol=0.0, record_every=10**6)

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        sweep(experiment, {"size": [0, 1]}, seeds=1, n_jobs=2)
    deadline = time.monotonic() + 10.0      # the loop looks up every 0.1 s; the rest is for a busy machine
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_client():
    with pytest.raises(ValueError, match=r"(?i)dask.*client"):
        sweep(drawn, ONE, backend="dask")
