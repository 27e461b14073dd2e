"""Compile the loss and the rule."""

from Cython.Build import cythonize
from setuptools import Extension, setup

extensions = [Extension(f"logcosh.{name}", [f"src/logcosh/{name}.pyx"], extra_compile_args=["-O3"])
              for name in ("loss", "rule")]
setup(ext_modules=cythonize(extensions, language_level=3))
