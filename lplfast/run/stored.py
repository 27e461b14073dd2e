"""Archives of arrays that are not compressed, written: NumPy's .npz.

By hand, since an object of zipfile that an interrupt has left half done completes itself when it is collected: that
raises something else, and where its code runs then, the next interrupt is lost.
"""

import io
import os
import struct
import zlib

import numpy as np

__all__ = ["write_arrays"]

# What fits into the fields of an archive; from here on, fields of twice the length take over.
LIMIT = 2**32 - 1

# How many bytes are written at once: a signal is looked at in between.
PIECE = 2**24

# version 4.5, no flags, not compressed, and the first day that there is
KIND = struct.pack("<HHHHH", 45, 0, 0, 0, 0x21)


def write_arrays(file, arrays):
    """Write arrays by name to a file that is open for writing, from its start."""
    directory, at = b"", 0
    for name, array in arrays.items():
        name, header = f"{name}.npy".encode("ascii"), _header(array)
        content = array.reshape(-1).view(np.uint8)
        size, check = len(header) + content.size, zlib.crc32(header)
        for piece in _pieces(content):
            check = zlib.crc32(piece, check)
        sizes, extra = _fields(size, size)
        local = struct.pack("<4s10sL", b"PK\3\4", KIND, check) + sizes + struct.pack("<HH", len(name), len(extra))
        local += name + extra + header
        file.write(local)
        for piece in _pieces(content):
            file.write(piece)
            if content.size > PIECE:
                # brought to the disk now: all of it at the end would take seconds, in which nobody looks at signals
                file.flush()
                os.fsync(file.fileno())
        place, extra = _fields(size, size, at)
        directory += struct.pack("<4sH10sL", b"PK\1\2", 45, KIND, check) + place[:8]
        directory += struct.pack("<HHHHHL", len(name), len(extra), 0, 0, 0, 0) + place[8:] + name + extra
        at += len(local) + content.size
    file.write(directory + _end(len(arrays), len(directory), at))


def _header(array):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(array))
    return buffer.getvalue()


def _pieces(content):
    for at in range(0, content.size, PIECE):
        yield content[at:at + PIECE]


def _fields(*numbers):
    """Return numbers as fields of four bytes, and what is added for those that do not fit."""
    long = [number for number in numbers if number >= LIMIT]
    extra = struct.pack(f"<HH{len(long)}Q", 1, 8 * len(long), *long) if long else b""
    short = [number if number < LIMIT else 2**32 - 1 for number in numbers]
    return struct.pack(f"<{len(short)}L", *short), extra


def _end(count, size, at):
    """Return what comes after a directory of `count` entries and `size` bytes, which begins `at` so many."""
    place, long = _fields(at)
    end = struct.pack("<4sHHHHL", b"PK\5\6", 0, 0, count, count, size) + place + struct.pack("<H", 0)
    if not long:
        return end
    return (struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, at)
            + struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1) + end)
