"""Files are replaced at once or not at all, whatever happens on the way; what is no file is not touched."""

import errno
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest

import lplfast
from lplfast import MatrixFactorization, Network, Run, train
from lplfast.data import read_data
from lplfast.files import open_file, replace_file
from lplfast.plots import save_figure
from lplfast.run import archive, stored

SOURCE = pathlib.Path(lplfast.__file__).parent
PROBLEM, NETWORK = MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]])
RUN = train(PROBLEM, NETWORK, max_iter=3)
# of one column, so that the lines which write an array run for fewer of them
SHORT = train(PROBLEM, NETWORK, max_iter=1, record=["gap"])


def write_new(file):
    file.write(b"new")


def save_layers(path):
    with tempfile.TemporaryDirectory() as elsewhere:
        Network([[1.0]], [[1.0]]).save_layers(path, f"{elsewhere}/W2")


# everything that writes a file, by a path that ends with .npy because one of them says so
WRITERS = {"save": RUN.save, "to_csv": RUN.to_csv, "save_layers": save_layers,
           "replace_file": lambda path: replace_file(path, write_new)}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400])
def test_an_existing_file_keeps_its_mode(mode, write, tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)
    assert path.read_bytes() != b"old"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert os.listdir(tmp_path) == ["a.npy"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_mode_that_the_process_gives_to_its_files(mask, write, tmp_path):
    before = os.umask(mask)
    try:
        write(tmp_path / "a.npy")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.npy").stat().st_mode) == 0o666 & ~mask


def test_the_umask_is_left_alone(write, tmp_path, monkeypatch):
    # it belongs to the process: for a moment, another thread's files would be open to everybody
    asked = []
    monkeypatch.setattr(os, "umask", asked.append)
    write(tmp_path / "a.npy")
    assert not asked


def test_a_file_that_is_private_is_so_while_it_is_written(tmp_path):
    path, seen = tmp_path / "a", []
    path.write_bytes(b"old")
    path.chmod(0o600)
    replace_file(path, lambda file: seen.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode)))
    assert seen == [0o600]


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_written(there, write, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "b.npy", tmp_path / "a.npy"
    if there:
        target.write_bytes(b"old")
    link.symlink_to("elsewhere/b.npy")
    write(link)
    assert os.readlink(link) == "elsewhere/b.npy"
    assert target.read_bytes() not in (b"old", b"")
    assert os.listdir(tmp_path / "elsewhere") == ["b.npy"]


def others(folder):
    """Make what is no file; return the paths, and what an error has to say."""
    os.mkfifo(folder / "fifo.npy")
    (folder / "folder.npy").mkdir()
    (folder / "device.npy").symlink_to("/dev/null")
    (folder / "loop.npy").symlink_to("loop.npy")
    return {"fifo.npy": "a FIFO", "folder.npy": "a directory", "device.npy": "a device", "loop.npy": "links"}


def test_what_is_no_file_is_refused_and_stays(write, tmp_path):
    for name, said in others(tmp_path).items():
        before = os.lstat(tmp_path / name)
        with pytest.raises(OSError, match=rf"(expected a regular file, got )?.*{said}.*{name}"):
            write(tmp_path / name)
        assert os.lstat(tmp_path / name).st_ino == before.st_ino
    assert len(os.listdir(tmp_path)) == 4
    with pytest.raises(OSError, match="expected a regular file, got a device: '/dev/full'"):
        replace_file("/dev/full", write_new)


@pytest.mark.parametrize("read", [
    Run.load, open_file, lambda path: Network.from_files(path, path),
    lambda path: read_data(f"{path}".replace(".npy", ""), path),
], ids=["load", "open_file", "from_files", "read_data"])
def test_what_is_no_file_is_not_read(read, tmp_path):
    for name, said in others(tmp_path).items():
        (tmp_path / name.replace(".npy", "")).symlink_to(name)
        with pytest.raises(OSError, match=said):      # and does not wait for somebody to write into the FIFO
            read(tmp_path / name)


class Boom(BaseException):
    """Nobody else raises it."""


def lines_traced(call, paths, at=None, error=None):
    """Call with `error` raised at the line numbered `at` that is about to run in these files; return how many ran."""
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_filename not in paths:
            return None
        if event == "line":
            seen += 1
            if seen - 1 == at:
                raise error
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return seen


ERRORS = [KeyboardInterrupt(), Boom(), ValueError("x"), OSError("x"), OSError(errno.ENOSPC, "x"), MemoryError()]


# a second each: an interrupt over an old file; the others where there is time
@pytest.mark.parametrize(("error", "there"), [
    pytest.param(error, there, marks=() if (i, there) == (0, True) else pytest.mark.slow)
    for i, error in enumerate(ERRORS) for there in ((True, False) if i == 0 else (i % 2 == 0,))], ids=repr)
def test_an_exception_at_any_line_leaves_one_whole_file(error, there, tmp_path):
    path, paths = tmp_path / "run.npz", {str(SOURCE / "files.py"), archive.__file__, stored.__file__}
    SHORT.save(path)
    new = path.read_bytes()

    def start():
        path.unlink(missing_ok=True)
        if there:
            path.write_bytes(b"old")
            path.chmod(0o600)

    start()
    # something to clear up: the lines for that count, too
    dead = finished_process()
    name = left_over(path, dead)
    count = lines_traced(lambda: SHORT.save(path), paths)
    assert count > 60
    for at in range(count):
        start()
        name.touch()
        # an error of the file system is raised again with the name of the file, one without a number as it is
        expected = type(error)
        with pytest.raises(expected) as raised:
            lines_traced(lambda: SHORT.save(path), paths, at, error)
        assert raised.value is error or raised.value.__cause__ is error
        raised.value.__traceback__ = error.__traceback__ = None
        left = set(os.listdir(tmp_path)) - {name.name, "run.npz"}
        assert not left, (at, left)
        if there:
            assert path.read_bytes() in (b"old", new), at
        else:
            assert not path.exists() or path.read_bytes() == new, at


def finished_process():
    """Return the number of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def left_over(path, pid):
    """Return what a process of this number would call its temporary file for this path."""
    names = []

    def look(file):
        names.append(pathlib.Path(file.name))

    replace_file(path, look)
    (name,) = names
    *front, _, _ = name.name.split("-")
    return name.with_name("-".join([*front, str(pid), "0123456789abcdef"]))


KILLED = """
import os, signal, sys
from lplfast.data import read_data
from lplfast.files import replace_file
def write(file):
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    sys.stdin.read()
replace_file(sys.argv[1], write)
"""


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path):
    path, other = tmp_path / "run.npz", tmp_path / "other.npz"
    path.write_bytes(b"old")
    (tmp_path / ".lplfast-notes").write_bytes(b"")
    processes = [subprocess.Popen([sys.executable, "-c", KILLED, str(where)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) for where in (path, other, path)]
    try:
        for process in processes:
            assert process.stdout.readline() == b"ready\n"
        assert len(os.listdir(tmp_path)) == 5
        for process in processes[:2]:
            process.send_signal(signal.SIGKILL)
            process.wait()
        RUN.save(path)
        # of the same target, one was killed and one is still writing; the other target's is its own affair
        names = [name for name in os.listdir(tmp_path) if name.startswith(".lplfast-") and name != ".lplfast-notes"]
        assert sorted(int(name.split("-")[3]) for name in names) == sorted(process.pid for process in processes[1:])
        processes[2].communicate(timeout=20)
        assert path.read_bytes() == b"half"
        RUN.save(other)
        assert sorted(os.listdir(tmp_path)) == [".lplfast-notes", "other.npz", "run.npz"]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_killed_save_leaves_the_old_run(tmp_path):
    # a real one, at moments from before the first byte to after the last
    path = tmp_path / "run.npz"
    RUN.save(path)
    code = ("import sys\nfrom lplfast import Run\nrun = Run.load(sys.argv[1])\nprint('ready', flush=True)\n"
            "while True: run.save(sys.argv[1])")
    for delay in (0.0, 0.003, 0.0071):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        assert Run.load(path).iterations == RUN.iterations
    RUN.save(path)
    assert os.listdir(tmp_path) == ["run.npz"]


def test_a_disk_that_is_full_costs_nothing_that_was_there(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fill(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left on device") as full:
        replace_file(path, fill)
    assert full.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_figure_is_replaced_at_once_or_not_at_all(tmp_path):
    class Broken:
        def savefig(self, file, **how):
            file.write(b"half")
            raise RuntimeError

    path = tmp_path / "figure.png"
    save_figure(RUN.plot(), path)
    whole = path.read_bytes()
    assert whole.startswith(b"\x89PNG")
    with pytest.raises(RuntimeError):
        save_figure(Broken(), path)
    assert path.read_bytes() == whole
    save_figure(RUN.plot(), tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert len(os.listdir(tmp_path)) == 2


def test_layers_of_a_network_have_the_ending_that_numpy_gives_them(tmp_path):
    Network([[1.0]], [[2.0]]).save_layers(tmp_path / "W1", os.fsencode(tmp_path / "W2.npy"))
    assert np.load(tmp_path / "W1.npy").item() == 1.0
    assert np.load(tmp_path / "W2.npy").item() == 2.0
