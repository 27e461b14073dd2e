"""The compiled part of the benchmarks, built the first time that it is asked for."""

import functools
import importlib
import tempfile

__all__ = ["compiled"]


@functools.cache
def compiled():
    """Build `bare.pyx` and return the module; ImportError names what to install where there is no Cython."""
    try:
        import pyximport
    except ImportError as error:
        raise ImportError('the benchmarks need Cython: pip install -e ".[bench]"') from error

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        hooks = pyximport.install(build_dir=folder, language_level=3)
        try:
            return importlib.import_module("bench.bare")
        finally:
            pyximport.uninstall(*hooks)
