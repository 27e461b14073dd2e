"""Build the Cython modules; everything else is in pyproject.toml.

Three environment variables change the build:

LPLFAST_DEBUG=1   every Cython check on that can be without the GIL, no optimisation: what the tests run once more with
LPLFAST_NATIVE=1  instructions of this very machine (`-march=native`): a wheel that does not travel
CYTHON_CACHE_DIR  a folder in which Cython keeps its translations, so that it does the same one only once
"""

import importlib.util
import os
import pathlib
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# What Cython knows of memoryviews, 24000 lines, compiled once for all modules and not in each.
SHARED = "lplfast._cython"
# Whose names the kernels call BLAS by.
BLAS = "scipy.linalg.cython_blas"
HEADERS = sorted(path.as_posix() for path in pathlib.Path("lplfast").rglob("*.h"))
MODULES = sorted(path.with_suffix("").as_posix() for path in pathlib.Path("lplfast").rglob("*.pyx"))


def switched_on(name):
    value = os.environ.get(name, "0")
    if value not in ("", "0", "1"):
        sys.exit(f"{name}: expected 0 or 1, got {value!r}")
    return value == "1"


DEBUG = switched_on("LPLFAST_DEBUG")
NATIVE = switched_on("LPLFAST_NATIVE")

# No -ffast-math: it deletes NaN tests and, at link time, flushes subnormals for the whole process.
# No contraction either: a fused multiply-add would make the bits depend on the compiler.
FLAGS = {
    "unix": ["-O0", "-g"] if DEBUG else ["-O3", "-g0", "-fno-math-errno", "-ffp-contract=off"],
    "msvc": ["/Od", "/Zi"] if DEBUG else ["/O2", "/fp:precise"],
}
if NATIVE:
    FLAGS["unix"].append("-march=native")
    FLAGS["msvc"].append("/arch:AVX2")


def name_blas_int():
    """Write `blas_int.pxd`: the integers that BLAS takes, of 32 or 64 bits by how SciPy was built.

    SciPy 1.18 has a name for them, before it they are int; and Cython cannot ask whether there is a name.
    """
    declared = pathlib.Path(importlib.util.find_spec(BLAS).origin).with_name("cython_blas.pxd").read_text()
    named = f"from {BLAS} cimport blas_int\n" if "blas_int" in declared else "ctypedef int blas_int\n"
    path = pathlib.Path("lplfast/linalg/blas_int.pxd")
    if not path.exists() or path.read_text() != named:
        path.write_text(named)


class build_modules(build_ext):
    """`build_ext` on all cores, with flags chosen by the compiler found, not by the operating system."""

    def build_extensions(self):
        self.parallel = os.cpu_count()
        # here and not below: pip runs this file three times, two of them for the metadata alone
        translated = cythonize(
            self.extensions,
            force=True,  # or a switch of LPLFAST_DEBUG would keep the old build
            nthreads=self.parallel,
            cache="CYTHON_CACHE_DIR" in os.environ,
            shared_utility_qualified_name=SHARED,
            compiler_directives={
                "language_level": 3,
                "auto_pickle": False,  # what can be pickled has its own __reduce__
                "boundscheck": DEBUG,
                "wraparound": False,
                "initializedcheck": DEBUG,
                "cdivision": True,  # 1 / 0 is inf, as IEEE 754 has it
            },
        )
        msvc = self.compiler.compiler_type == "msvc"
        for extension, made in zip(self.extensions, translated, strict=True):
            extension.sources = made.sources
            extension.depends = HEADERS     # what they include of each other, nobody else looks up
            extension.extra_compile_args = FLAGS["msvc" if msvc else "unix"]
            if not msvc:        # named, or the linker takes the oldest exp that there is, whose wrapper costs a third
                extension.libraries = ["m", "pthread"]
            if extension.name == SHARED:  # nothing in it is called in a loop
                extension.extra_compile_args = [*extension.extra_compile_args, "/Od" if msvc else "-O1"]
        super().build_extensions()


# Where processes are spawned, those that translate import this file.
if __name__ == "__main__":
    name_blas_int()     # here, for it is one of the files that are installed
    setup(
        cmdclass={"build_ext": build_modules},
        ext_modules=[
            Extension(SHARED, [f"{SHARED.replace('.', '/')}.c"]),
            *(Extension(name.replace("/", "."), [f"{name}.pyx"], include_dirs=["lplfast"]) for name in MODULES),
        ],
    )
