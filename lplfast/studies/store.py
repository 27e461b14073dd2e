"""Where the shards of a study are kept: a folder, or memory."""

import contextlib
import hashlib
import itertools
import json
import os

from ..files import open_file, replace_file
from ..validation import shown
from .lock import Lock
from .maker import ENTROPY, differences, joined, versions
from .shard import Shard

__all__ = ["Folder", "Memory", "explain", "study_path"]

FORMAT = 1


class Memory:
    """Shards of a study that is kept nowhere."""

    def __init__(self):
        self.shards, self.maker = [], 0

    @contextlib.contextmanager
    def writing(self):
        """There is no other writer."""
        yield

    def begin(self, grid, maker, *, keep):
        """There is nothing to compare with."""

    def commit(self, shard):
        """Keep a shard."""
        self.hold(shard)

    def hold(self, shard):
        """Keep a shard for this call alone."""
        self.shards.append(shard)

    def finished(self):
        """Return the keys of the cells that are there; another maker tries those again that failed."""
        return {key for shard in self.shards for key, error in zip(shard.keys, shard.errors, strict=True)
                if not error or shard.maker == self.maker}


class Folder(Memory):
    """A folder: `study.json`, `lock`, and `shards/<digest>.npz`, each committed by its rename."""

    def __init__(self, path):
        super().__init__()
        self.path, self.names = path, set()
        self.about_path = os.path.join(path, "study.json")
        self.refused_path = os.path.join(path, "refused.json")
        self.shards_path = os.path.join(path, "shards")

    @contextlib.contextmanager
    def writing(self):
        """Be the only writer.

        Raises
        ------
        BlockingIOError
            If there is another one.
        """
        os.makedirs(self.shards_path, exist_ok=True)
        with Lock(os.path.join(self.path, "lock")):
            yield

    def begin(self, grid, maker, *, keep):
        """Read what is there, and compare it with who goes on.

        Raises
        ------
        ValueError
            If it is a study with other dimensions, or of another maker and not to be kept all the same.
        """
        about = _read(self.about_path, self.path)
        dims = list(grid.labels)
        if about is None:
            about = {"format": FORMAT, "dims": dims, "labels": {}, "makers": [maker]}
        if sorted(about["dims"]) != sorted(dims):
            raise ValueError(f"grid: expected the dimensions of the study in {self.path}, {', '.join(about['dims'])}, "
                             f"got {', '.join(dims) or 'none'}; use another name")
        found = differences(about["makers"][-1], maker)
        if found and not keep:
            self._write(self.refused_path, maker)
            raise ValueError(f"store: expected the maker of the study in {self.path}, got another one:\n"
                             + "\n".join(found) + "\non_mismatch='keep' goes on, and keeps what is there; or use "
                             "another name")
        if found:
            about["makers"].append(maker)
        else:
            about["makers"][-1]["objects"] = joined(about["makers"][-1]["objects"], maker["objects"])
        for name, labels in grid.labels.items():
            known = about["labels"].setdefault(name, [])
            texts = {json.dumps(label) for label in known}
            known += [label for label in labels if json.dumps(label) not in texts]
        self.maker = len(about["makers"]) - 1
        self._write(self.about_path, about)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.refused_path)
        self._read_shards()

    def _write(self, path, content):
        text = json.dumps(content, indent=1).encode()
        replace_file(path, lambda file: file.write(text))

    def _read_shards(self):
        for name in sorted(os.listdir(self.shards_path)):
            # files that a killed process was writing begin with a dot
            if name.endswith(".npz") and not name.startswith(".") and name not in self.names:
                self.shards.append(Shard.load(os.path.join(self.shards_path, name)))
                self.names.add(name)

    def commit(self, shard):
        """Write a shard: it is there with the rename, or not at all.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        shard.maker = self.maker
        name = f"{hashlib.sha256(b''.join(shard.keys)).hexdigest()[:32]}-{self.maker}.npz"
        shard.save(os.path.join(self.shards_path, name))
        self.names.add(name)
        self.hold(shard)


def explain(store: str | os.PathLike[str], name: str) -> str:
    """Return what differs between who made a study and who would go on with it.

    Compared are the entropy of its streams, the versions of lplfast, Python, NumPy and SciPy, the source of the
    experiment (a unified diff) and digests of the grid's objects: between the store and the last call of `sweep` that
    was refused; where none was, between the store and the versions here. What was kept under another maker
    (`on_mismatch="keep"`) is listed as well.

    Parameters
    ----------
    store : path
        The folder of studies.
    name : str
        The study.

    Returns
    -------
    str
        A line each; empty where nothing differs. Nothing in the store is executed.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If there is no such study, or its files are damaged.

    """
    path = study_path(store, name)
    about = _read(os.path.join(path, "study.json"), path)
    if about is None:
        raise ValueError(f"name: expected a study in {os.fspath(store)}, got none of the name {name}")
    makers, lines = about["makers"], []
    for i, (before, after) in enumerate(itertools.pairwise(makers)):
        lines += [f"kept: maker {i + 1} went on, where there was, of maker {i}:", *differences(before, after)]
    refused = _read(os.path.join(path, "refused.json"), path)
    here = {**makers[-1], "versions": versions(), "entropy": ENTROPY}
    lines += differences(makers[-1], here if refused is None else refused)
    if makers[-1]["source"] is None:
        lines.append("source of the experiment: could not be read, so it is not compared")
    return "\n".join(lines)


def study_path(store, name):
    """Return the folder of a study."""
    if not isinstance(name, str):
        raise TypeError(f"name: expected the name of a folder, got {shown(name)}")
    if not name or name.startswith((".", "<")) or "/" in name or os.sep in name or "\0" in name:
        raise ValueError(f"name: expected the name of a folder, without separators or a dot at its start, got "
                         f"{shown(name)}")
    if not isinstance(store, (str, os.PathLike)):
        raise TypeError(f"store: expected the path of a folder, got {shown(store)}")
    return os.path.join(os.fspath(store), name)


def _read(path, study):
    """Return what is in a JSON file of a study; None if there is none."""
    try:
        with open_file(path) as file:
            found = json.loads(file.read())
        makers = found["makers"] if path.endswith("study.json") else [found]
        if path.endswith("study.json"):
            _check_about(found)
        for maker in makers:
            _check_maker(maker)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"store: expected a study in {study}, got a damaged {os.path.basename(path)}: "
                         f"{error}") from None
    return found


def _check_about(about):
    if about["format"] != FORMAT:
        raise ValueError(f"format: expected {FORMAT}, got {about['format']}")
    if not about["makers"] or not all(isinstance(name, str) for name in about["dims"]):
        raise ValueError("expected names of dimensions and at least one maker, got others")
    if not all(isinstance(labels, list) for labels in about["labels"].values()):
        raise ValueError("expected a list of labels for each dimension, got something else")


def _check_maker(maker):
    source = maker["source"]
    if maker["entropy"] is None or not (source is None or isinstance(source, str)):
        raise ValueError("expected an entropy and a source, got others")
    maker["versions"].items()
    for labels in maker["objects"].values():
        labels.items()
