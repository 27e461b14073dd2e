"""Files: written at once or not at all, and read only where they are files."""

import contextlib
import errno
import hashlib
import io
import os
import platform
import re
import secrets
import stat

__all__ = ["open_file", "replace_file"]

KINDS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
         stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def replace_file(path, write):
    """Make or replace a file at once or not at all: whatever happens, what was there is there, or all of the new one.

    It is written beside `path` under another name, and then renamed. An existing file passes on its permissions; of a
    symbolic link, the file that it leads to is replaced, and the link stays. Other hard links keep what was there.
    What killed processes have left of earlier attempts at the same file is removed: files whose names say that they
    were written for it, on this machine, by a process that is no more.

    Parameters
    ----------
    path : path
        The file.
    write : callable
        Is given the open file, and writes all its bytes.

    Raises
    ------
    OSError
        If it cannot be written, or if there is something else than a regular file, a device, a FIFO or a directory; it
        names `path`.

    """
    path = os.fsdecode(path)
    try:
        _replace(os.path.realpath(path), write)
    except OSError as error:
        if error.errno is None:
            raise
        # not the temporary file, of which nobody knows
        raise OSError(error.errno, error.strerror, path) from error


def open_file(path):
    """Open a regular file for reading bytes.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file: a FIFO would be waited for, and some devices never end.

    """
    path = os.fsdecode(path)
    file = open(path, "rb", opener=_without_waiting)    # noqa: SIM115, the caller closes it
    try:
        _check_regular(os.fstat(file.fileno()), path)
    except OSError:
        file.close()
        raise
    return file


def _without_waiting(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _replace(target, write):
    permissions = _permissions(target)
    folder, prefix = os.path.dirname(target), _prefix(target)
    _clear(folder, prefix)
    temporary = os.path.join(folder, f"{prefix}{os.getpid()}-{secrets.token_hex(8)}")
    # an interrupt may come at any line, and as a call returns: the file is there before it is opened, to be closed, and
    # from before that until after it has been renamed, what is raised removes it
    raw, file = io.FileIO.__new__(io.FileIO), io.BufferedWriter.__new__(io.BufferedWriter)
    try:
        # before it has the permissions of the old file, nobody else may read it
        raw.__init__(temporary, "xb", opener=None if permissions is None else _private)
        file.__init__(raw)
        write(file)
        file.flush()
        os.fsync(raw.fileno())
        file.close()
        if permissions is not None:
            os.chmod(temporary, permissions)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            raw.close()
        # not there any more, if what was raised came after the last line
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _private(path, flags):
    return os.open(path, flags, 0o600)


def _permissions(target):
    """Return the permissions of the regular file that is there; None if there is nothing."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    _check_regular(found, target)
    return found.st_mode & 0o777


def _check_regular(found, path):
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        code = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise OSError(code, f"expected a regular file, got {kind}", path)


def _prefix(target):
    """Return what the names of temporary files for this target begin with: it and the machine, as digests."""
    name, machine = (hashlib.sha256(os.fsencode(text)).hexdigest()[:12]
                     for text in (os.path.basename(target), platform.node()))
    return f".lplfast-{name}-{machine}-"


def _clear(folder, prefix):
    """Remove what killed processes of this machine have left of writing one file."""
    if os.name == "nt":
        return      # where asking whether a process lives would end it
    try:
        names = os.listdir(folder)
    except PermissionError:
        return      # writable, but not to be looked at
    for name in names:
        found = re.fullmatch(re.escape(prefix) + r"([1-9]\d{0,8})-[0-9a-f]{16}", name)
        if found and not _lives(int(found[1])):
            # another process may clear up too; and a file may belong to somebody else
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.unlink(os.path.join(folder, name))


def _lives(pid):
    """Whether there is a process of this number; if it is another one by now, its namesake's file stays."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True     # somebody else's
    return True
