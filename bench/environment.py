"""The environment: what the times depend on beside the code."""

import importlib.metadata
import os
import pathlib
import platform

from threadpoolctl import threadpool_info

__all__ = ["describe", "load", "sentence", "show"]

PACKAGES = ("lplfast", "numpy", "scipy", "torch", "jax", "jaxlib", "numba")


def describe():
    """Return a dict of everything that a reader needs beside the times; plain enough for JSON."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
        "blas": [{key: blas.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
                 | {"file": pathlib.Path(blas["filepath"]).name} for blas in threadpool_info()],
    }


def sentence(found):
    """Return what `describe` has found in one line, as the README has it."""
    blas = {f"{one['internal_api']} {one['version']} ({one['architecture']} kernels)" for one in found["blas"]
            if one["internal_api"] in ("openblas", "mkl", "blis")}
    packages = [f"{name} {version}" for name, version in found["packages"].items() if version]
    return (f"{found['cpu']}, {found['cores']} cores, {found['system']}; one BLAS thread; {', '.join(sorted(blas))}; "
            f"Python {found['python']}, {', '.join(packages)}")


def show(found):
    """Print what `describe` has found, and what was added to it."""
    print(f"{sentence(found)}.")
    for blas in found["blas"]:
        print(f"{blas['internal_api']} {blas['version']}, {blas['architecture']}, {blas['num_threads']} threads "
              f"(limited to 1 while timing), {blas['file']}")
    before, after = found["load"]
    print(f"OPENBLAS_CORETYPE: {found['OPENBLAS_CORETYPE'] or 'not set'}; load average {before} at the start, {after} "
          f"now; {found['seconds']:.0f} s in all")


def load():
    """Return the number of processes that wanted a core over the last minute, None where unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown CPU"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
