"""The environment: what the times depend on beside the code."""

import os
import pathlib
import platform

import numpy as np
import scipy
from threadpoolctl import threadpool_info

import lplfast

__all__ = ["describe", "load", "show"]


def describe():
    """Return a dict of everything that a reader needs beside the times; plain enough for JSON."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "lplfast": lplfast.__version__,
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": load(),
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
        "blas": [{key: blas.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
                 | {"file": pathlib.Path(blas["filepath"]).name} for blas in threadpool_info()],
    }


def show(found):
    """Print what `describe` has found."""
    print(", ".join(f"{name} {found[name]}" for name in ("lplfast", "python", "numpy", "scipy")))
    print(f"{found['platform']}; {found['cpu']}, {found['cores']} cores, load average {found['load']}")
    for blas in found["blas"]:
        print(f"{blas['internal_api']} {blas['version']}, {blas['architecture']} kernels, "
              f"{blas['num_threads']} threads (limited to 1 while timing), {blas['file']}")
    print(f"OPENBLAS_CORETYPE: {found['OPENBLAS_CORETYPE'] or 'not set'}")


def load():
    """Return the number of processes that wanted a core over the last minute, None where unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _cpu():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown CPU"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
