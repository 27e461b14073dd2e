"""The file of a saved run: NumPy's .npz, whose entries the schema lists.

It is read without NumPy's reader: nothing is evaluated, unpickled or decompressed. No entry may be compressed, so
nothing that a file asks for is larger than the file itself, and every size is known before anything is read.
"""

import json
import math
import os
import re
import struct
import tempfile
import zipfile

import numpy as np

from .entries import AnotherFormatError, check_header, check_members, check_values, nested, sizes_of
from .schema import ENTRIES, FORMAT

__all__ = ["load_entries", "save_entries"]

# what NumPy writes before little-endian numbers or text
HEADER = re.compile(rb"\{'descr': '<(\w{2,12})', 'fortran_order': False, 'shape': \(([\d, ]{0,60})\), \} *\n")
MAGIC = b"\x93NUMPY\x01\x00"

# How many bytes are read at once.
PIECE = 2**24

# What reading a damaged or a hostile file may raise, the file system apart. RuntimeError is of encrypted entries.
DAMAGE = (ValueError, EOFError, MemoryError, OverflowError, RuntimeError, struct.error, zipfile.BadZipFile)


def save_entries(path, entries):
    """Write entries, by the names in the schema; an existing file is replaced at once or not at all.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`.

    """
    path = os.fspath(path)
    try:
        _write(path, entries)
    except OSError as error:
        if error.errno is None:
            raise
        # not the temporary file, of which nobody knows
        raise OSError(error.errno, error.strerror, path) from error


def load_entries(path):
    """Return the entries of the file by name, checked against the schema: dicts within dicts.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a saved run, or one of another format.

    """
    path = os.fspath(path)
    with open(path, "rb") as file:
        try:
            return _read(file)
        except AnotherFormatError as error:
            raise ValueError(f"{path}: {error}") from None
        except DAMAGE as error:
            raise ValueError(f"{path}: expected a run saved by Run.save, got something else or a damaged file: "
                             f"{error or type(error).__name__}") from error


def _write(path, entries):
    arrays = {name: value for name, value in entries.items() if isinstance(value, np.ndarray)}
    members = {name: _plain(ENTRIES[name], value) for name, value in entries.items() if name not in arrays}
    # somebody's rule may have options that are no JSON
    about = json.dumps(nested({"format": FORMAT, **members}), default=repr)
    arrays = {name: np.asarray(array, dtype=_little(ENTRIES[name].dtype), order="C") for name, array in arrays.items()}
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".lplfast-")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, about=np.array(about, dtype=_little(f"U{len(about)}")), **arrays)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)     # mkstemp's files are for the owner alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


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
    with zipfile.ZipFile(file) as archive:
        stored = _stored(archive, size)
        if "about" not in stored:
            raise ValueError("about: expected text, got no such entry")
        members = check_members(_about(archive, stored.pop("about")))
        sizes, arrays = sizes_of(members), {}
        for name, info in stored.items():
            with archive.open(info) as stream:
                dtype, shape = _header(name, stream)
                check_header(name, dtype, shape, sizes)
                arrays[name] = _body(name, stream, info, shape)
    check_values(members, arrays)
    members.pop("format")
    return nested({**members, **arrays})


def _stored(archive, size):
    """Return the entries of an archive by name; together they are not larger than the file."""
    stored, total = {}, 0
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or name in stored:
            raise ValueError(f"{ascii(name)[:60]}: expected one array of the name, got another or no array")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ValueError(f"{ascii(name)[:60]}: expected an entry that is not compressed, got a compressed one")
        stored[name], total = info, total + info.file_size
    if total > size:
        raise ValueError(f"expected entries of at most {size} bytes together, the size of the file, got {total}")
    return stored


def _header(name, stream):
    """Return the dtype and the shape of an array, after the bytes that say them."""
    start = stream.read(len(MAGIC) + 2)
    if len(start) == len(MAGIC) + 2 and start.startswith(MAGIC):
        found = HEADER.fullmatch(stream.read(int.from_bytes(start[-2:], "little")))
        if found:
            shape = tuple(int(length) for length in found[2].replace(b" ", b"").split(b",") if length)
            return found[1].decode("ascii"), shape
    raise ValueError(f"{name}: expected an array in C order as NumPy writes it, got another header")


def _bytes(name, stream, info, wanted):
    """Return the rest of an entry, of which so many bytes are expected; the end of it brings zipfile's own check."""
    left = info.file_size - stream.tell()
    if left != wanted:
        raise ValueError(f"{name}: expected {wanted} bytes, got {left}")
    content = np.empty(wanted, np.uint8)
    for at in range(0, wanted, PIECE):
        content[at:at + PIECE] = np.frombuffer(stream.read(min(PIECE, wanted - at)), np.uint8)
    return content


def _body(name, stream, info, shape):
    dtype = np.dtype(ENTRIES[name].dtype)
    content = _bytes(name, stream, info, dtype.itemsize * math.prod(shape))
    return content.view(_little(dtype)).astype(dtype, copy=False).reshape(shape)


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
        dtype, shape = _header("about", stream)
        if not re.fullmatch(r"U\d+", dtype) or shape:
            raise ValueError(f"about: expected one text, got shape {shape} of {dtype}")
        return _bytes("about", stream, info, 4 * int(dtype[1:])).tobytes().decode("utf-32-le").rstrip("\0")
