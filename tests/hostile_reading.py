"""What reading a file may come to, and what is done with what was read: a right answer, or a refusal in a sentence."""

import io
import pathlib
import pickle
import signal
import tracemalloc
import warnings
import zlib

import numpy as np
from saved import FILES, PROBLEM, RUNS, file_of, parts

from lplfast import Network, Run, train
from lplfast.tables import read_matrix

# What is stated in docs/files.md and `read_matrix`: JSON and the lines of a text may take many times their size. The
# rest is what Python itself needs for a small archive.
MEMORY_PER_BYTE, MEMORY = 100, 2**20

# Nothing here takes a hundredth of it; what never ends is a failure too.
SECONDS = 20

EXECUTED = []


def execute(said):
    """Leave a trace."""
    EXECUTED.append(said)


class Misbehaviour(Exception):  # noqa: N818, of what is tested
    """What a file must not do."""


def check(case, folder):
    """Read a case; return what became of it, "read" or "refused". What is not yet there when it is read comes after.

    Raises
    ------
    Misbehaviour
        If something else happened.

    """
    path = pathlib.Path(folder) / f"case{case.ending}"
    path.write_bytes(case.content)
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            done = _read_run(case, path) if case.ending == ".npz" else _read_matrix(case, path)
    finally:
        signal.alarm(0)
    if EXECUTED:
        raise Misbehaviour(EXECUTED.pop())
    return "read" if done else "refused"


def _too_long(number, frame):
    raise Misbehaviour(f"not done after {SECONDS} s")


def _allowed(what, call):
    """Return whether a call came back, or was refused with a sentence."""
    try:
        call()
    except (ValueError, OSError) as error:
        if "expected" not in str(error):
            raise Misbehaviour(f"{what}: no sentence: {error!r}") from error
        return False
    except (Exception, RecursionError) as error:
        raise Misbehaviour(f"{what}: {error!r}") from error
    return True


# Looking at memory slows everything down.
LARGE = ("headers", "archives", "texts", "matrices", "tables")


def _within_memory(kind, path, call):
    """Call, and see what that takes at most."""
    if kind not in LARGE:
        return _allowed(call.__name__, call)
    tracemalloc.start()
    try:
        done = _allowed(call.__name__, call)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > MEMORY + MEMORY_PER_BYTE * path.stat().st_size:
        raise Misbehaviour(f"{peak} bytes of memory for {path.stat().st_size} in a file")
    return done


def _read_matrix(case, path):
    def read():
        read_matrix(path)

    _allowed("from_files", lambda: Network.from_files(path, path))
    return _within_memory(case.kind, path, read)


def _read_run(case, path):
    loaded = []

    def load():
        loaded.append(Run.load(path))

    if not _within_memory(case.kind, path, load):
        return False
    (run,) = loaded
    if case.whole is not None and not _equal(run, case.whole):
        raise Misbehaviour("damaged, and read as another run")
    for name in ("__repr__", "audit"):
        _allowed(name, lambda name=name: str(getattr(run, name)()))
    for name in ("verdict", "certificate", "violations", "facts", "continuation"):
        _allowed(name, lambda name=name: repr(getattr(run, name)))
    _allowed("pickle", lambda: pickle.loads(pickle.dumps(run)))
    _allowed("layers", lambda: run.network.W1 if run.network.width < 10**6 else None)
    # what takes longer than everything else, of some
    if zlib.crc32(case.content) % 5 == 0:
        _allowed("to_csv", lambda: run.to_csv(path.with_suffix(".out")))
        _allowed("save", lambda: run.save(path.with_suffix(".out"), self_contained=False))
    if zlib.crc32(case.content) % 30 == 0:
        _allowed("plot", lambda: run.plot().savefig(io.BytesIO()))
    problem = next((problem for problem, known in RUNS.values()
                    if known.continuation.fingerprint == run.continuation.fingerprint), PROBLEM)
    _allowed("train", lambda: _go_on(problem, run))
    return True


def _go_on(problem, run):
    """Go on with a run, and look at where that leads."""
    with np.errstate(all="ignore"):
        on = train(problem, run, max_iter=run.iterations + 3)
        return repr(on), str(on.audit()), on.verdict, on.certificate, on.message, on.network.stack()


def _equal(run, name):
    """Whether a run is the one in FILES of this name."""
    (about, arrays), (whole, others) = (parts(content) for content in (file_of(run, self_contained=False), FILES[name]))
    # what leads back to wide layers is not saved again
    kept = others.keys() & arrays.keys()
    return about == whole and others.keys() - kept <= {"network/basis"} and all(
        np.array_equal(arrays[key], others[key], equal_nan=True) for key in kept)
