"""docs/architecture.md says what is there: every file, and what other projects may compile against."""

import pathlib
import re
import tomllib

import pytest

import lplfast

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = pathlib.Path(lplfast.__file__).parent
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CIMPORTS = {module: re.findall(r"`(\w+)`", names)
            for module, names in re.findall(r"^\| `(lplfast\.[\w.]+)` \| (.*?) \|", TEXT, flags=re.MULTILINE)}


def test_every_file_has_its_line():
    listed = re.findall(r"^\| `([\w/]+\.(?:py|pyx|pxd|h))` \|", TEXT, flags=re.MULTILINE)
    files = {path.relative_to(PACKAGE) for suffix in ("py", "pyx", "pxd", "h") for path in PACKAGE.rglob(f"*.{suffix}")
             if not path.stem.startswith("__")}
    # a .pxd says what others know of its .pyx, and Cython of its .h: one line for both
    files = {path.as_posix() for path in files
             if not (path.suffix == ".pxd" and path.with_suffix(".pyx") in files)
             and not (path.suffix == ".h" and path.with_suffix(".pxd") in files)}
    assert sorted(listed) == sorted(files)


@pytest.mark.parametrize("module", CIMPORTS)
def test_what_others_cimport_is_declared(module):
    *folders, name = module.split(".")[1:]
    text = PACKAGE.joinpath(*folders, f"{name}.pxd").read_text(encoding="utf-8")
    assert CIMPORTS[module]
    for declared in CIMPORTS[module]:
        assert re.search(rf"^cdef (class|struct) {declared}\b", text, flags=re.MULTILINE), declared


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/examples/**/*.pyx")), ids=lambda path: path.name)
def test_the_example_uses_nothing_else(path):
    used = re.findall(r"^from (lplfast[\w.]*) cimport (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert used
    for module, names in used:
        assert set(names.split(", ")) <= set(CIMPORTS[module])


def test_an_installed_wheel_has_every_folder_and_its_declarations():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent for path in PACKAGE.rglob("__init__.py")}
    assert set(setuptools["packages"]) == {".".join(folder.relative_to(PACKAGE.parent).parts) for folder in folders}
    assert "*.pxd" in setuptools["package-data"]["*"]
    # Cython finds declarations in packages only
    for folder in {path.parent for path in PACKAGE.rglob("*.pxd")}:
        assert (folder / "__init__.pxd").exists(), folder
