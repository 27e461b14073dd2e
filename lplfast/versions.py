"""What a bug report needs."""

import importlib.metadata
import platform
import sys

from threadpoolctl import threadpool_info

__all__ = ["__version__", "show_versions"]

__version__ = importlib.metadata.version("lplfast")

OTHERS = ["numpy", "scipy", "threadpoolctl", "matplotlib", "pandas", "scikit-learn", "tqdm", "joblib",
          "xarray", "h5netcdf", "distributed"]


def show_versions() -> None:
    """Print the versions of lplfast, Python, the libraries it uses, and the BLAS in the process."""
    print(f"lplfast        {__version__}")
    print(f"python         {sys.version.split()[0]} on {platform.platform()}")
    for name in OTHERS:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "not installed"
        print(f"{name:14} {version}")
    for blas in threadpool_info():
        print(f"blas           {blas['internal_api']} {blas['version']}, {blas.get('architecture', '?')}, "
              f"{blas['num_threads']} threads, {blas['filepath'].rsplit('/', 1)[-1]}")
