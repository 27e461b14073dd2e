"""The code of the repository, for pages to lead to: where a name is defined, and a page for a file."""

import pathlib
import re
from functools import cache

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

__all__ = ["address", "definitions", "file_of", "page"]

ROOT = pathlib.Path(__file__).parent.parent.parent
LEXERS = {".py": "python", ".pyx": "cython", ".pxd": "cython", ".pyi": "python", ".h": "c"}
# not the methods of classes: their names are common words
DEFINED = re.compile(r"^(?:def|cdef|cpdef|static)\b.*?\b(\w+)\(", flags=re.MULTILINE)
INLINE = re.compile(r"^cdef inline\b.*?\b(\w+)\(", flags=re.MULTILINE)


@cache
def files():
    """Return the paths of all files that a page may be asked of."""
    return [path for folder in ("lplfast", "tests", "tests_torch", "bench", "docs/examples", "docs/ext")
            for path in sorted((ROOT / folder).rglob("*")) if path.suffix in LEXERS]


@cache
def file_of(name):
    """Return the file that a page means by a path or a bare name; None if that is none, or could be several."""
    exact = [path for path in files() if path in (ROOT / name, ROOT / "lplfast" / name)]
    found = exact or [path for path in files() if path.name == name]
    return found[0] if len(found) == 1 else None


@cache
def definitions():
    """Return the file that defines each function of lplfast, its NumPy twin apart; only where there is one."""
    found = {}
    for path in files():
        inside = path.relative_to(ROOT).parts
        if inside[0] == "lplfast" and inside[1] != "reference" and path.suffix != ".pyi":
            for name in (INLINE if declares(path) else DEFINED).findall(path.read_text(encoding="utf-8")):
                found.setdefault(name, set()).add(path)
    return {name: paths.pop() for name, paths in found.items() if len(paths) == 1}


def declares(path):
    """Return whether a file says what another one defines, its inline functions apart."""
    return path.suffix == ".pxd" and path.with_suffix(".pyx").exists()


def address(path, name=None):
    """Return the name of a file's page, with the line that defines `name`."""
    page = "code/" + path.relative_to(ROOT).as_posix()
    if name is None:
        return page, ""
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if name in DEFINED.findall(text):
            return page, f"#L-{line}"
    return page, ""


def page(name):
    """Return the page of that name: its title, and its HTML."""
    path = ROOT / name.removeprefix("code/")
    formatter = HtmlFormatter(lineanchors="L", cssclass="highlight")
    body = highlight(path.read_text(encoding="utf-8"), get_lexer_by_name(LEXERS[path.suffix]), formatter)
    title = path.relative_to(ROOT).as_posix()
    return title, f"<h1>{title}</h1>\n{body}"
