"""The file of a saved run: NumPy's .npz, whose entries the schema lists.

It is read without NumPy's reader: nothing is evaluated, unpickled or decompressed. No entry may be compressed, so
nothing that a file asks for is larger than the file itself, and every size is known before anything is read.
"""

import errno
import json
import os
import struct
import zipfile

import numpy as np

from ..files import open_file, replace_file
from ..npy import read_header, read_numbers
from .entries import AnotherFormatError, check_header, check_members, check_values, nested, sizes_of
from .schema import ENTRIES, FORMAT
from .stored import write_arrays

__all__ = ["load_entries", "save_entries"]

# A directory of so many bytes has room for ten times the entries that there are.
LONGEST_DIRECTORY = 2**16

# What reading a damaged or a hostile file may raise, the file system apart. RuntimeError is of encrypted entries.
DAMAGE = (ValueError, EOFError, MemoryError, OverflowError, RuntimeError, struct.error, zipfile.BadZipFile)


def save_entries(path, entries):
    """Write entries, by the names in the schema; an existing file is replaced at once or not at all.

    Raises
    ------
    OSError
        If it cannot be written, or is no regular file; it names `path`.

    """
    arrays = {name: value for name, value in entries.items() if isinstance(value, np.ndarray)}
    members = {name: _plain(ENTRIES[name], value) for name, value in entries.items() if name not in arrays}
    about = json.dumps(nested({"format": FORMAT, **members}))
    arrays = {name: np.asarray(array, dtype=_little(ENTRIES[name].dtype), order="C") for name, array in arrays.items()}
    about = np.array(about, dtype=_little(f"U{len(about)}"))
    replace_file(path, lambda file: write_arrays(file, {"about": about, **arrays}))


def load_entries(path):
    """Return the entries of the file by name, checked against the schema: dicts within dicts.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a saved run, or one of another format.

    """
    path = os.fsdecode(path)
    with open_file(path) as file:
        try:
            return _read(file)
        except AnotherFormatError as error:
            raise ValueError(f"{path}: {error}") from None
        except (OSError, *DAMAGE) as error:
            # of a disk that fails there is more to say than of an offset that no file can have
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise
            raise ValueError(f"{path}: expected a run saved by Run.save, got something else or a damaged file: "
                             f"{error or type(error).__name__}") from error


def _little(dtype):
    return np.dtype(dtype).newbyteorder("<")


def _plain(entry, value):
    """Return a number as Python's, since JSON has no other."""
    if value is None or entry.shape:
        return value
    plain = {"integer": int, "number": float}.get(entry.dtype.partition(" ")[0])
    return plain(value) if plain else value


def _read(file):
    size = os.fstat(file.fileno()).st_size
    _check_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        stored = _stored(archive, size)
        if "about" not in stored:
            raise ValueError("about: expected text, got no such entry")
        members = check_members(_about(archive, stored.pop("about")))
        sizes, arrays = sizes_of(members), {}
        for name, info in stored.items():
            with archive.open(info) as stream:
                descr, shape = _header(name, stream)
                check_header(name, descr[1:], shape, sizes)
                arrays[name] = _body(name, stream, info, descr, shape)
    check_values(members, arrays)
    members.pop("format")
    return nested({**members, **arrays})


def _check_directory(file, size):
    """Refuse an archive whose directory is long, before anything is made of each of its entries, or is not at its end.

    Where its length is said: in the last 22 bytes or, for archives beyond 4 GiB, in the 56 before the last 42.
    """
    file.seek(max(size - 98, 0))
    last = file.read(98)
    if len(last) < 22 or last[-22:-18] != b"PK\5\6" or last[-2:] != b"\0\0":
        raise ValueError("expected an archive to its last byte, got another end")
    lengths = [int.from_bytes(last[-10:-6], "little")]
    if last[-42:-38] == b"PK\6\7":
        lengths = [int.from_bytes(last[-58:-50], "little")]
    if max(lengths) > LONGEST_DIRECTORY:
        raise ValueError(f"expected a directory of at most {LONGEST_DIRECTORY} bytes, got {max(lengths)}")


def _stored(archive, size):
    """Return the entries of an archive by name; together they are not larger than the file."""
    stored, total = {}, 0
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or name in stored:
            raise ValueError(f"{_printable(name)}: expected one array of the name, got another or no array")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ValueError(f"{_printable(name)}: expected an entry that is not compressed, got a compressed one")
        stored[name], total = info, total + info.file_size
    if total > size:
        raise ValueError(f"expected entries of at most {size} bytes together, the size of the file, got {total}")
    return stored


def _printable(name):
    return ascii(name)[1:-1][:60]


def _header(name, stream):
    """Return the dtype and the shape of an array, after the bytes that say them."""
    try:
        descr, fortran, shape = read_header(stream)
    except ValueError as error:
        raise ValueError(f"{_printable(name)}: {error}") from error
    if fortran or not descr.startswith("<"):
        raise ValueError(f"{_printable(name)}: expected little-endian numbers in C order, got another order")
    return descr, shape


def _body(name, stream, info, descr, shape):
    """Return the rest of an entry; the end of it brings zipfile's own check."""
    try:
        content = read_numbers(stream, descr, shape, info.file_size - stream.tell())
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return content.astype(ENTRIES[name].dtype, copy=False).reshape(shape)


def _about(archive, info):
    """Return what the JSON text in an entry says."""
    text = _text(archive, info)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"about: expected JSON, got a text that is not: {error}") from error


def _text(archive, info):
    """Return the one text in an entry: characters of four bytes."""
    with archive.open(info) as stream:
        descr, shape = _header("about", stream)
        if descr[1] != "U" or shape:
            raise ValueError(f"about: expected one text, got shape {shape} of {descr[1:]}")
        # the characters as numbers: NumPy's own would be beyond Unicode in a damaged file
        descr, shape = "<u4", (int(descr[2:]),)
        try:
            codes = read_numbers(stream, descr, shape, info.file_size - stream.tell())
        except ValueError as error:
            raise ValueError(f"about: {error}") from error
    return codes.tobytes().decode("utf-32-le").rstrip("\0")
