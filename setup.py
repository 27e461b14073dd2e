"""Build the Cython modules; everything else is in pyproject.toml.

Two environment variables change the build:

LPLFAST_DEBUG=1   every Cython check on that can be without the GIL, no optimisation: what the tests run once more with
LPLFAST_NATIVE=1  instructions of this very machine (`-march=native`): a wheel that does not travel
"""

import os
import pathlib
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

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


class build_modules(build_ext):
    """`build_ext` with flags chosen by the compiler found, not by the operating system; on all cores."""

    def build_extensions(self):
        self.parallel = os.cpu_count()
        for extension in self.extensions:
            extension.extra_compile_args = FLAGS["msvc" if self.compiler.compiler_type == "msvc" else "unix"]
        super().build_extensions()


setup(
    cmdclass={"build_ext": build_modules},
    ext_modules=cythonize(
        [Extension(name.replace("/", "."), [f"{name}.pyx"]) for name in MODULES],
        force=True,  # or a switch of LPLFAST_DEBUG would keep the old build
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": DEBUG,
            "cdivision": True,  # 1 / 0 is inf, as IEEE 754 has it
        },
    ),
)
