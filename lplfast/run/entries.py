"""The entries of a saved run: taken apart and put together again, and checked against the schema and each other."""

import numpy as np

from ..descent.state import CHECKS
from ..validation import as_choice
from .options import check_saved_options
from .outcome import MESSAGES
from .schema import ARRAYS, ENTRIES, FORMAT, MEMBERS, PREFIXES

__all__ = ["AnotherFormatError", "check_header", "check_members", "check_values", "flat", "nested", "sizes_of"]


class AnotherFormatError(ValueError):
    """The file is a saved run of another format than FORMAT."""


def nested(entries):
    """Return entries by name as the dicts within dicts that the names speak of."""
    parts = {}
    for name, value in entries.items():
        *parents, last = name.split("/")
        inner = parts
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return parts


def flat(parts, prefix=""):
    """Yield the entries in dicts within dicts, with their names; none for what is None and might have entries.

    Raises
    ------
    ValueError
        If there is something that is no entry.

    """
    for key, value in parts.items():
        name = prefix + key
        if name in ENTRIES:
            yield name, value
        elif name in PREFIXES and isinstance(value, dict):
            yield from flat(value, name + "/")
        elif name in PREFIXES and value is None:
            continue
        elif name in PREFIXES:
            raise ValueError(f"{name}: expected an object, got {_short(value)}")
        else:
            raise ValueError(f"{ascii(name)[1:-1][:60]}: expected no entry of this name, got one")


def check_members(about):
    """Return the members of `about` by the names of their entries, floats where numbers are asked for.

    Raises
    ------
    AnotherFormatError
        If the file was written in another format.
    ValueError
        If a member is missing, unknown, of another kind, not finite where that is asked for, or contradicts another.

    """
    _check_format(about)
    members = {name: _member(name, value) for name, value in flat(about)}
    _check_groups(members, MEMBERS)
    _check_agreement(members)
    return members


def check_header(name, dtype, shape, sizes):
    """Check the dtype (`"f8"`, in bytes) and the shape of an array against its entry; `sizes` learns those it lacks.

    Raises
    ------
    ValueError
        If there is no such entry, or it has another dtype or shape.

    """
    if name not in ARRAYS:
        raise ValueError(f"{ascii(name)[1:-1][:60]}: expected no array of this name, got one")
    entry = ARRAYS[name]
    expected = np.dtype(entry.dtype).str[1:]
    symbols = f"({', '.join(entry.shape)}{',' if len(entry.shape) == 1 else ''})"
    if dtype != expected:
        raise ValueError(f"{name}: expected {entry.dtype}, got an array of {dtype}")
    fits = len(shape) == len(entry.shape)
    for symbol, length in zip(entry.shape, shape, strict=False):
        size = int(symbol) if symbol.isdigit() else sizes.setdefault(symbol, length)
        fits = fits and length == size and length > 0
    if not fits:
        known = ", ".join(f"{symbol} = {sizes[symbol]}" for symbol in entry.shape if symbol in sizes)
        raise ValueError(f"{name}: expected shape {symbols}{' with ' if known else ''}{known}, got {shape}")


def check_values(members, arrays):
    """Check what the arrays hold, and that they are those that the members speak of.

    Raises
    ------
    ValueError
        If an array is missing or one too many, not finite where that is asked for, or contradicts a member.

    """
    _check_groups(arrays, {name: entry for name, entry in ARRAYS.items() if entry.group != "history"})
    recorded = {f"history/{name}" for name in members["continuation/options/record"]}
    found = {name for name in arrays if name.startswith("history/")}
    if recorded != found:
        raise ValueError(f"history: expected the columns that continuation/options/record names, got a different set: "
                         f"{', '.join(sorted(recorded ^ found))}")
    for name, array in arrays.items():
        if ARRAYS[name].finite and not np.isfinite(array).all():
            raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    if "history/iteration" in arrays:
        _check_iterations(arrays["history/iteration"], members)
    _check_network(members, arrays)


def _check_iterations(found, members):
    """Refuse a history whose rows are not one in so many, and the last."""
    every, last = members["continuation/options/record_every"], members["iterations"]
    expected = np.append(every * np.arange(found.size - 1, dtype=np.float64), last)
    if not np.array_equal(found, expected):
        at = int(np.flatnonzero(found != expected)[0])
        raise ValueError(f"history/iteration: expected {expected[at]:.0f} in row {at}, one in {every} up to iterations "
                         f"= {last}, got {found[at]!r}")


def _check_network(members, arrays):
    """Refuse arrays that are no network, or none of the size that the members say."""
    for name in ("n", "width"):
        _agree(f"network/{name}", int(arrays[f"network/{name}"]), members[f"facts/{name}"])
    if ("network/wide" in arrays) == ("network/small" in arrays):
        raise ValueError("network: expected either wide or small, got both or neither")
    bases = [name for name in ("network/basis", "network/seed", "network/origin") if name in arrays]
    if "network/wide" in arrays and bases:
        raise ValueError(f"{bases[0]}: expected none beside network/wide, got one")
    if len(bases) > 1:
        raise ValueError(f"{', '.join(bases)}: expected at most one of them, got {len(bases)}")
    width, run_width, rows = members["facts/width"], members["facts/run_width"], members["facts/n"] + members["facts/m"]
    if "network/wide" in arrays and run_width != width:
        raise ValueError(f"facts/run_width: expected width = {width} beside network/wide, got {run_width}")
    if bases and not run_width == rows < width:
        raise ValueError(f"{bases[0]}: expected it for layers compressed to width n + m = {rows} from "
                         f"more, got {run_width} from {width}")
    if "network/seed" in arrays and arrays["network/seed"].min() < 0:
        raise ValueError("network/seed: expected integers >= 0, got a negative one")


def sizes_of(members):
    """Return the sizes that the members of a file say its arrays have."""
    n, m = members["facts/n"], members["facts/m"]
    # one iterate in so many, and the last one
    rows = (members["iterations"] - 1) // members["continuation/options/record_every"] + 2
    return {"n": n, "m": m, "n + m": n + m, "width": members["facts/width"],
            "run_width": members["continuation/run_width"], "rows": rows}


def _check_format(about):
    if not isinstance(about, dict):
        raise ValueError(f"about: expected a JSON object, got {_short(about)}")
    found = about.get("format", 1)
    if found == FORMAT and type(found) is int:
        return
    if "status" not in about or type(found) is not int:
        raise ValueError(f"format: expected {FORMAT}, got {_short(about.get('format', 'none'))}")
    facts = about.get("facts")
    versions = facts.get("versions") if isinstance(facts, dict) else None
    version = versions.get("lplfast") if isinstance(versions, dict) else None
    by = f"lplfast {version}" if isinstance(version, str) else "an unknown version of lplfast"
    raise AnotherFormatError(f"expected format {FORMAT}, got format {found}, written by {by}. Load it with that "
                             "version, or start anew from its layers: Network.from_arrays takes the file's entries "
                             "network/...")


# What a rule's options may be nested.
LEVELS = 20

KINDS = {
    "text": (str, "text"),
    "integer": (int, "an integer >= 0, below 2^63"),
    "number": ((int, float), "a number"),
    "boolean": (bool, "true or false"),
    "object": (dict, "an object"),
}


def _member(name, value):
    """Return a value that is of the kind that its entry asks for."""
    if name not in MEMBERS:
        raise ValueError(f"{name}: expected an array beside `about`, got a member of it")
    entry = MEMBERS[name]
    kind, _, nullable = entry.dtype.partition(" or ")
    if nullable and value is None:
        return None
    if entry.shape:
        if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
            raise ValueError(f"{entry.name}: expected a list of texts, got {_short(value)}")
        return value
    types, expected = KINDS[kind]
    fits = isinstance(value, types) and (kind == "boolean" or not isinstance(value, bool))
    if kind == "integer":
        fits = fits and 0 <= value < 2**63
    elif kind == "number" and fits:
        try:
            value = float(value)
        except OverflowError:
            fits = False
    if not fits:
        raise ValueError(f"{entry.name}: expected {expected}{' or null' if nullable else ''}, got {_short(value)}")
    if entry.finite and not np.isfinite(value):
        raise ValueError(f"{entry.name}: expected a finite number, got {value}")
    if kind == "text" and not _is_unicode(value):
        raise ValueError(f"{entry.name}: expected text, got half a character in it: {_short(value)}")
    if kind == "object":
        _check_depth(entry.name, value)
    return value


def _is_unicode(text):
    """Whether it can be printed or written anywhere: JSON has half characters, which nothing else knows."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_depth(name, value, left=LEVELS):
    """Refuse what is nested so deeply that a walk through it might not come back."""
    if not left:
        raise ValueError(f"{name}: expected at most {LEVELS} levels of objects and lists, got more")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(name, inner, left - 1)


def _check_groups(found, entries):
    """Refuse what lacks an entry of a group of which it has another, or one that is always there."""
    begun = {entries[name].group for name in found if name in entries} | {""}
    for name, entry in entries.items():
        if entry.group in begun and name not in found:
            raise ValueError(f"{name}: expected {entry.dtype}, got no such entry")


def _check_agreement(members):
    """Refuse members of which one contradicts another, or options that no run can have been made with."""
    as_choice("status", members["status"], MESSAGES)
    options = nested({name.removeprefix("continuation/options/"): value for name, value in members.items()
                      if name.startswith("continuation/options/")})
    check_saved_options(options)
    _agree("facts/constants", members["facts/constants"], options["constants"]["mode"])
    _agree("facts/tolerance", members["facts/tolerance"], options["constants"]["tolerance"])
    _agree("facts/tol", members["facts/tol"], options["tol"])
    _agree("facts/run_width", members["facts/run_width"], members["continuation/run_width"])
    for name in ("n", "m", "width", "run_width"):
        if not members[f"facts/{name}"]:
            raise ValueError(f"facts/{name}: expected an integer >= 1, got 0")
    if members["facts/run_width"] > members["facts/width"]:
        raise ValueError(f"facts/run_width: expected at most width = {members['facts/width']}, got "
                         f"{members['facts/run_width']}")
    for name in CHECKS:
        steps, violations, uninformative, smallest, at = (
            members[f"checks/{name}/{part}"] for part in
            ("steps", "violations", "uninformative", "smallest", "smallest_at"))
        if violations > steps or uninformative > steps or (smallest is None) != (at is None):
            raise ValueError(f"checks/{name}: expected counts of at most steps = {steps}, and smallest and smallest_at "
                             f"both or neither, got {violations}, {uninformative}, {smallest} and {at}")


def _agree(name, found, expected, what=""):
    if found != expected:
        raise ValueError(f"{name}: expected {what}{expected!r}, as the rest of the file says, got {_short(found)}")


def _short(value):
    """Return a printable form that is not long."""
    return f"a {type(value).__name__}" if isinstance(value, (dict, list)) else ascii(value)[:60]
