"""In the folder of a copy of the sources: let the kernels call a BLAS and LAPACK whose integers have 64 bits.

SciPy can be built like that, and its wheels are not. So what the kernels call gets forwarders of the same names in a
package `ilp64`, which take 64 bits and call SciPy's with 32, and each mention of SciPy's modules is replaced by theirs.
"""

import pathlib
import re
import subprocess

import scipy.linalg

MODULES = ("cython_blas", "cython_lapack")


def called(module):
    """Return the names that the sources of this folder take from the module."""
    lines = [line for kind in ("pyx", "pxd") for path in pathlib.Path().rglob(f"*.{kind}")
             for line in path.read_text().splitlines() if line.startswith(f"from scipy.linalg.{module} cimport ")]
    return sorted({name.strip() for line in lines for name in line.partition(" cimport ")[2].split(",")} - {"blas_int"})


def forwarder(module, name, declared):
    """Return the declaration of one function with 64 bits, and its body, which calls the one with 32."""
    result, arguments = re.search(rf"^cdef (\w+) {name}\((.*)\) noexcept nogil$", declared, re.M).groups()
    pairs = [argument.split(" *") for argument in arguments.split(", ")]
    whole = [named for kind, named in pairs if kind == "int"]
    types = {"int": "blas_int", "d": "double"}
    head = f"cdef {types.get(result, result)} {name}(" + ", ".join(
        f"{types.get(kind, kind)} *{named}" for kind, named in pairs) + ") noexcept nogil"
    call = f"scipy.linalg.{module}.{name}(" + ", ".join(
        f"&{named}_32" if named in whole else named for _, named in pairs) + ")"
    body = [f"cdef int {named}_32 = <int> {named}[0]" for named in whole]
    body += [call if result == "void" else f"cdef {types.get(result, result)} result = {call}"]
    body += ["info[0] = info_32"] if "info" in whole else []
    body += [] if result == "void" else ["return result"]
    return head, "\n    ".join([head + ":", *body])


def write_forwarders():
    """Write the package, and compile it in place."""
    package = pathlib.Path("ilp64")
    package.mkdir()
    (package / "__init__.py").touch()
    for module in MODULES:
        declared = pathlib.Path(scipy.linalg.__file__).with_name(f"{module}.pxd").read_text()
        made = [forwarder(module, name, declared) for name in called(module)]
        (package / f"{module}.pxd").write_text("\n".join([
            "from libc.stdint cimport int64_t", "ctypedef int64_t blas_int", *(head for head, _ in made)]) + "\n")
        (package / f"{module}.pyx").write_text("\n\n".join([f"cimport scipy.linalg.{module}", *(b for _, b in made)]))
    subprocess.run(["cythonize", "-i", "-3", "-q", *(str(package / f"{module}.pyx") for module in MODULES)], check=True)


def rename():
    """Replace SciPy's modules by those of the package, in whatever is compiled and in what compiles it."""
    for path in [pathlib.Path("setup.py"), *pathlib.Path().rglob("*.pyx"), *pathlib.Path().rglob("*.pxd")]:
        if path.parent.name != "ilp64":
            path.write_text(re.sub(r"scipy\.linalg\.(cython_\w+)", r"ilp64.\1", path.read_text()))


if __name__ == "__main__":
    write_forwarders()
    rename()
