"""The compiled part of the benchmarks, built the first time that it is asked for."""

import functools
import importlib
import tempfile

__all__ = ["compiled"]


@functools.cache
def compiled():
    """Build `bare.pyx` and return the module."""
    import pyximport

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        hooks = pyximport.install(build_dir=folder, language_level=3)
        try:
            return importlib.import_module("bench.bare")
        finally:
            pyximport.uninstall(*hooks)
