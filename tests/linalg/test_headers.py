"""The C headers by themselves: each compiles alone and without a warning, with one lane and with two, four, eight.

One lane is what a compiler without vector types gets, and two are what ARM has; nothing else here would ever compile
these.
"""

import collections
import ctypes
import functools
import pathlib
import re
import shlex
import shutil
import subprocess
import sysconfig

import mpmath
import numpy as np
import pytest

import lplfast

U = 2.0**-53
PACKAGE = pathlib.Path(lplfast.__file__).parent
# but the one that headers include in order to be included again
HEADERS = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.h") if path.name != "kinds.h")
BLOCK = 32  # small, so that few numbers make several
CC = shlex.split(sysconfig.get_config_var("CC"))
FLAGS = ["-std=gnu99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-psabi", "-Werror", f"-I{PACKAGE}",
         f"-DLPL_BLOCK={BLOCK}", "-DLPL_UNIT_ROUNDOFF=0x1p-53"]
LANES = [1, 2, 4, 8]

# All that are here, in every number of lanes that they have: tcc has no vector types, and makes one lane of them.
COMPILERS = [CC, *([name] for name in ("gcc", "clang", "tcc") if shutil.which(name) and name != CC[0])]
BUILDS = [(compiler, lanes, level) for compiler in COMPILERS for lanes in ([1] if compiler == ["tcc"] else LANES)
          for level in ("-O0", "-O3")]

# of a whole number of lanes
ELEMENTARY = """
void lpl_excess_of_all(ptrdiff_t size, const double* c, double* excess, double* exponential) {
    for (ptrdiff_t i = 0; i < size; i += LPL_LANES) {
        lpl_lanes e;
        LPL_PUT(excess + i) = lpl_excess(LPL_AT(c + i), &e);
        LPL_PUT(exponential + i) = e;
    }
}
void lpl_log1p_of_all(ptrdiff_t size, const double* x, double* y) {
    for (ptrdiff_t i = 0; i < size; i += LPL_LANES)
        LPL_PUT(y + i) = lpl_log1p(LPL_AT(x + i));
}
"""

# around every switch: whole lanes, four chains of them, blocks, and what is left over
SIZES = [1, 7, 8, 9, 31, 32, 33, 40, 75, 200]


def compiled(source, target, *more, compiler=CC):
    """Compile a line of C; an error shows what the compiler said."""
    command = [*compiler, *FLAGS, *more, "-x", "c", "-", "-o", str(target)]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return target


@pytest.fixture(scope="module", params=LANES, ids="{} lanes".format)
def lanes(request):
    return request.param


@pytest.fixture(scope="module")
def kernels(lanes, tmp_path_factory):
    return library(tmp_path_factory.mktemp("headers"), f"-DLPL_LANES={lanes}")


def library(folder, *more, compiler=CC):
    """Every function of the headers, in a library of its own; those that take lanes by way of arrays."""
    source = "".join(f'#include "{name}"\n' for name in HEADERS) + ELEMENTARY
    options = ["-shared", "-fPIC", "-DLPL_ANY_CPU=", *more]
    return ctypes.CDLL(str(compiled(source, folder / "kernels.so", *options, compiler=compiler)))


def call(function, *arguments, result=None):
    """Call with lengths as ptrdiff_t, dimensions as int, arrays as pointers."""
    function.restype = result
    made = [ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else a for a in arguments]
    return function(*made)


@functools.cache
def makes_kinds():
    """Whether kernels are compiled for several kinds of processor here."""
    command = [*CC, *FLAGS, "-x", "c", "-E", "-dM", "-"]
    done = subprocess.run(command, input='#include "linalg/lanes.h"\n', capture_output=True, text=True, check=True)
    return "#define LPL_KINDS" in done.stdout


def length(array):
    return ctypes.c_ssize_t(array.size)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("name", HEADERS)
def test_a_header_needs_no_other_and_compiles_without_a_warning(name, lanes, tmp_path):
    compiled(f'#include "{name}"\nint nothing;\n', tmp_path / "alone.o", "-c", f"-DLPL_LANES={lanes}")


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("kind", ["native", "x86-64-v3", "sapphirerapids"])
def test_a_header_compiles_for_a_processor_that_has_more(kind, level, name, tmp_path):
    """What is compiled for the compiler's options cannot be inlined where it is for a processor with less."""
    if not makes_kinds():
        pytest.skip("this compiler makes one kind")
    compiled(f'#include "{name}"\n', tmp_path / "alone.o", "-c", level, f"-march={kind}", "-fkeep-static-functions")


@pytest.mark.parametrize(("header", "missing"), [("passes", "LPL_BLOCK"), ("kinds", "LPL_KERNELS")])
def test_what_a_header_needs_has_to_be_said(header, missing, tmp_path):
    with pytest.raises(AssertionError, match=f"expected {missing}"):
        compiled(f'#include "linalg/{header}.h"\n', tmp_path / "alone.o", "-c", "-ULPL_BLOCK", "-fmax-errors=1")


def test_a_macro_is_defined_in_one_file():
    """Modules include several headers and declarations, and the last definition would be taken for all of them."""
    files = collections.defaultdict(set)
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".h", ".pxd", ".pyx"):
            for name in re.findall(r"^\s*#\s*define\s+(\w+)", path.read_text(), re.MULTILINE):
                files[name].add(path.name)
    # what kinds.h is there to set anew
    again = {"LPL_KERNELS", "LPL_KIND", "LPL_LANES"}
    assert {name: where for name, where in files.items() if len(where) > 1 and name not in again} == {}
    assert "LPL_EIGHT" in files


@pytest.mark.parametrize("size", [40, 1003])     # one in eight lanes leaves the first to one in four
def test_kinds_of_processors(size, tmp_path):
    """A kernel is there for each kind, to the same bits, and its plain name is the one for this processor."""
    kinds = {2: "_in_two", 4: "_in_four", 8: "_in_eight", 0: ""}
    source = '#include "linalg/passes.h"\n#ifdef LPL_KINDS\n' + "".join(
        f"double outside_{lanes}(ptrdiff_t size, const double* x, const double* y, double* to) {{"
        f" return lpl_move{name}(size, x, 0.3, y, to); }}\n" for lanes, name in kinds.items()) + """
        int lpl_lanes_here(void) { return lpl_best_lanes(); }
        int lpl_lanes_taken(void) {
            __typeof__(lpl_move_here()) taken = lpl_move_here();
            return taken == lpl_move_in_eight ? 8 : taken == lpl_move_in_four ? 4 : taken == lpl_move_in_two ? 2 : 0;
        }
        #else
        int lpl_lanes_here(void) { return 0; }
        #endif
    """
    kernels = ctypes.CDLL(str(compiled(source, tmp_path / "kinds.so", "-shared", "-fPIC")))
    here = kernels.lpl_lanes_here()
    if not here:
        pytest.skip("this compiler makes one kind")
    assert kernels.lpl_lanes_taken() == here
    x, y = np.random.default_rng(0).standard_normal((2, size))
    found = []
    for lanes in (lanes for lanes in kinds if lanes <= here):
        to = np.empty(x.size)
        found.append((call(getattr(kernels, f"outside_{lanes}"), length(x), x, y, to, result=ctypes.c_double), *to))
    assert len(set(found)) == 1


@pytest.mark.parametrize("size", SIZES)
def test_passes(kernels, size):
    rng = np.random.default_rng(size)
    d, x, y, z = rng.standard_normal((4, size))
    # the order of a sum of `size` terms is free: 2 size u of the absolute values, and a few for the terms
    allowed = (2 * size + 16) * U
    double = ctypes.c_double
    assert call(kernels.lpl_square_sum, length(x), x, result=double) == pytest.approx(x @ x, rel=allowed, abs=0)
    found = call(kernels.lpl_distance_sq, length(x), x, y, result=double)
    assert found == pytest.approx((x - y) @ (x - y), rel=allowed)
    to = np.empty(size)
    call(kernels.lpl_copy, length(x), x, to)
    assert np.array_equal(to, x)
    found = call(kernels.lpl_move, length(x), x, double(0.3), y, to, result=double)
    assert np.array_equal(to, x - 0.3 * y)
    assert found == call(kernels.lpl_square_sum, length(to), to, result=double)
    g, x_sq, g_sq = np.empty(size), np.empty(1), np.empty(1)
    found = call(kernels.lpl_slope, length(x), d, x, y, g, x_sq, g_sq, result=double)
    assert np.array_equal(g, d * (x - y))
    assert abs(found - d @ (x - y) ** 2) <= allowed * (abs(d) @ (x - y) ** 2)
    assert x_sq[0] == pytest.approx(x @ x, rel=allowed)
    assert g_sq[0] == pytest.approx(g @ g, rel=allowed)
    terms, absolute = d * (x - y) * ((x - z) + (y - z)), np.empty(1)
    found = call(kernels.lpl_fall, length(x), d, x, y, z, absolute, result=double)
    assert abs(found - terms.sum()) <= allowed * abs(terms).sum()
    assert absolute[0] == pytest.approx(abs(terms).sum(), rel=allowed)
    A, n = x[:size // 3 * 3].reshape(3, -1), ctypes.c_ssize_t(size // 3)
    found = call(kernels.lpl_absolute_norm_sq, ctypes.c_ssize_t(3), n, A, np.empty(size // 3), result=double)
    assert found == pytest.approx(max(abs(A) @ abs(A).sum(0)), rel=allowed)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("quadratic", [True, False])
def test_a_motion(kernels, size, quadratic):
    rng = np.random.default_rng(size)
    W, W_new, G, d = rng.standard_normal((4, size))
    M, hessian = W_new - W, d if quadratic else np.zeros(size)
    found = np.empty(5)
    call(kernels.lpl_measure, length(W), W, W_new, G, d if quadratic else None, found)
    terms = np.array([M * M, G * M, abs(G * M), hessian * M * M, (hessian * M) ** 2])
    assert (abs(found - terms.sum(1)) <= (2 * size + 16) * U * abs(terms).sum(1)).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 3), (3, 8, 9), (5, 9, 17), (4, 20, 8), (4, 8, 4)], ids=str)
def test_small_products(kernels, shape):
    n, k, m = shape
    rng = np.random.default_rng(shape)
    A, B, C = rng.standard_normal((n, k)), rng.standard_normal((k, m)), np.empty((n, m))
    allowed = 2 * (k + 2) * U * (abs(A) @ abs(B))
    for name, left, right in (("nn", A, B), ("tn", A.T.copy(), B), ("nt", A, B.T.copy())):
        call(getattr(kernels, f"lpl_small_{name}"), n, k, m, left, right, C)
        assert (abs(C - A @ B) <= allowed).all(), name


def padded(M, lot=8):
    """What `lpl_cholesky` takes: an identity in the rows and columns that fill up whole lots, of four or eight."""
    n = len(M)
    size = -(-n // lot) * lot
    A = np.zeros((size, size + 8))
    A[:n, :n], A[range(n, size), range(n, size)] = np.triu(M), 1.0
    return A, size


@pytest.mark.parametrize("n", [1, 3, 4, 5, 12, 23, 30])
def test_a_shifted_matrix(kernels, lanes, n):
    M, double, lot = np.random.default_rng(n).standard_normal((n, n)), ctypes.c_double, max(4, lanes)
    expected, size = padded(-(M - 0.75 * np.eye(n)), lot)
    F = np.full_like(expected, np.nan)
    call(kernels.lpl_shifted, n, size + 8, double(-1.0), double(0.75), M, F)
    upper = np.triu_indices(size)
    assert np.array_equal(F[:, :size][upper], expected[:, :size][upper])
    # what the factorization reads beside it is finite
    assert all(np.isfinite(F[i : i + lot, i : i + lot]).all() for i in range(0, size, lot))


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 9, 24, 30, 31, 71])
def test_a_cholesky_factor(kernels, lanes, n):
    A = np.random.default_rng(n).standard_normal((n, n + 9))
    M, lot = A @ A.T, max(4, lanes)
    R, size = padded(M, lot)
    assert call(kernels.lpl_cholesky, size, size + 8, R, result=ctypes.c_int) == 0
    assert np.array_equal(np.triu(R[:, :size])[n:, n:], np.eye(size - n))
    R = np.triu(R[:n, :n])
    # (n + 3) u of |R.T||R| for the factor, n u for the product here
    assert (abs(R.T @ R - M) <= (2 * n + 4) * U * (abs(R).T @ abs(R))).all()
    for stops in {0, n // 2, n - 1}:
        M[stops, stops] = -1.0
        found, _ = padded(M, lot)
        assert call(kernels.lpl_cholesky, size, size + 8, found, result=ctypes.c_int) == stops + 1
        # the columns above are complete up to the one at which it stops
        assert np.array_equal(np.triu(found[:stops, :stops]), R[:stops, :stops])
        M = A @ A.T


def shifted_panels(kernels, M, sign, shift, scale):
    """What a factor in single precision is made over: panels of 16 columns side by side."""
    count, double = -(-len(M) // 16), ctypes.c_double
    F = np.empty((count, 16 * count, 16), np.float32)
    for p in range(count):
        call(kernels.lpl_shifted_panel, len(M), double(sign), double(shift), double(scale), M, p, F)
    return F


def factor_panels(kernels, n, F):
    """Make the factor of n rows, strip by strip; the row at which there is none, or -1."""
    for first in range(0, n, 32):
        at = call(kernels.lpl_factor_diagonal, n, ctypes.c_ssize_t(first), F, result=ctypes.c_ssize_t)
        if at >= 0:
            return at
        for j in range(first + 32, F.shape[1], 16):
            call(kernels.lpl_factor_panel, n, ctypes.c_ssize_t(first), ctypes.c_ssize_t(j), F)
    return -1


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40, 71, 130])
def test_a_factor_in_single_precision(kernels, n):
    A = np.random.default_rng(n).standard_normal((n, n + 9))
    M = A @ A.T
    stored = np.concatenate(shifted_panels(kernels, M, -1.0, 1e3, 0.5), axis=1)
    upper = np.triu_indices(n)
    assert np.array_equal(stored[upper], (-0.5 * (M - 1e3 * np.eye(n))).astype(np.float32)[upper])
    F = shifted_panels(kernels, M, 1.0, 0.0, 1.0)
    assert factor_panels(kernels, n, F) == -1
    R = np.triu(np.concatenate(F, axis=1)).astype(np.float64)
    assert np.array_equal(R[n:, n:], np.eye(len(R) - n))
    R = R[:n, :n]
    units = 8 + 8 + -(-n // 64) + 8 + 5
    assert (abs(R.T @ R - M) <= units * 2.0**-24 * (abs(R).T @ abs(R))).all()
    norm = call(kernels.lpl_absolute_norm, n, F, np.empty(16 * F.shape[1], np.float32), result=ctypes.c_double)
    assert norm == pytest.approx((abs(R).T @ abs(R)).sum(1).max(), rel=(2 * n + 100) * 2.0**-24)
    for stops in {0, n // 2, n - 1}:
        M[stops, stops] = -1.0
        F = shifted_panels(kernels, M, 1.0, 0.0, 1.0)
        assert factor_panels(kernels, n, F) == stops
        x = np.zeros(n)
        call(kernels.lpl_back_substitute, n, ctypes.c_ssize_t(stops), F, x)
        # the leading block times x is 0 but in its last row
        above = M[:stops, :stops + 1]
        assert (abs(above @ x[:stops + 1]) <= 4 * units * 2.0**-24 * (abs(R.T) @ abs(R) @ abs(x))[:stops]).all()
        assert x[stops] == 1.0
        M = A @ A.T


FUSED = """
int lpl_has_fused(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
int lpl_has_wide(void) { return __builtin_cpu_supports("avx512vl") != 0; }
"""
OF_TILES = """
#include "linalg/tile_sums.h"
#define LPL_OUTSIDE(name) void outside_##name(ptrdiff_t length, int columns, const float* a, const float* b, \\
    float* tile) { lpl_sums_##name(length, columns, a, b, tile); }
LPL_OUTSIDE(plain) LPL_OUTSIDE(fused) LPL_OUTSIDE(wide)
"""
OF_PRODUCTS = """
#include "linalg/fused.h"
#define LPL_OUTSIDE(name, inside) void outside_##name(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const double* A, \\
    ptrdiff_t row, ptrdiff_t step, const double* B, int turned, double* C) { \\
    inside(n, k, m, A, row, step, B, turned, C); }
LPL_OUTSIDE(fused, lpl_fused_half) LPL_OUTSIDE(wide, lpl_fused_wide)
"""


def fused(source, folder):
    """What asks for fused multiply-adds by name, and the names of what this processor has of it; on another kind of
    processor, nothing."""
    machine = subprocess.run([*CC, "-dumpmachine"], capture_output=True, text=True, check=True).stdout
    if not machine.startswith("x86_64"):
        return None, []
    kernels = ctypes.CDLL(str(compiled(source + FUSED, folder / "fused.so", "-shared", "-fPIC",
                                       "-DLPL_ANY_CPU=static", "-DLPL_FUSED")))
    return kernels, ["fused"] * kernels.lpl_has_fused() + ["wide"] * kernels.lpl_has_wide()


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    return fused(OF_TILES, tmp_path_factory.mktemp("sums"))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 64, 203])
def test_fused_sums_of_tiles(sums, length):
    kernels, names = sums
    rng = np.random.default_rng(length)
    a, b = rng.standard_normal((2, length, 16)).astype(np.float32)
    exact = a[:, :8].astype(float).T @ b.astype(float)
    # eight terms of a run, of a product and sums, and the runs
    allowed = (8 + -(-length // 8)) * 2.0**-24 * (abs(a[:, :8].astype(float)).T @ abs(b.astype(float)))
    found = {}
    for name in ("plain", *names) if kernels else ():
        tile = found[name] = np.full((8, 16), np.nan, np.float32)
        call(getattr(kernels, f"outside_{name}"), ctypes.c_ssize_t(length), 16, a, b, tile)
        assert (abs(tile - exact) <= allowed).all(), name
        half = np.full((8, 16), np.nan, np.float32)
        call(getattr(kernels, f"outside_{name}"), ctypes.c_ssize_t(length), 8, a, b, half)
        assert np.array_equal(half[:, :8], tile[:, :8]), name
        assert np.isnan(half[:, 8:]).all(), name
    if "wide" in found:
        assert np.array_equal(found["fused"], found["wide"])


def test_fused_products(tmp_path):
    """Every number of rows that is left over, of registers in a tile, and of columns in the last one; of sums, too."""
    kernels, names = fused(OF_PRODUCTS, tmp_path)
    size, rng = ctypes.c_ssize_t, np.random.default_rng(0)
    shapes = [(n, k, m) for n in (3, 4, 5, 6, 7, 8, 10, 17, 19) for k in (4, 5, 6, 7, 31) for m in range(4, 30)]
    shapes += [(n, k, m) for n in (3, 4, 9, 20) for k in (4, 5) for m in (*range(30, 54), 64, 87, 103, 110, 150)]
    for n, k, m in [*shapes, (20, 256, 9), (9, 256, 41), (7, 150, 60), (3, 1, 4), (8, 2, 33)]:
        A, B = rng.standard_normal((n, k)), rng.standard_normal((k, m))
        # each product and each sum, fused or not
        allowed = 2 * (k + 1) * U * (abs(A) @ abs(B))
        ways = [(A, k, 1, B, 0), (A.T.copy(), 1, n, B, 0), *[(A, k, 1, B.T.copy(), 1)] * (k >= 4)]
        for left, row, step, right, turned in ways:
            found = []
            for name in names:
                room = np.full(n * m + 16, np.pi)
                C = room[8:-8]
                call(getattr(kernels, f"outside_{name}"), size(n), size(k), size(m), left, size(row), size(step),
                     right, turned, C)
                assert (abs(C.reshape(n, m) - A @ B) <= allowed).all(), (n, k, m, row, step, turned, name)
                assert (room[:8] == np.pi).all()
                assert (room[-8:] == np.pi).all()
                found.append(C)
            for one in found:
                assert np.array_equal(one, found[0]), (n, k, m, row, step, turned)


def everything(kernels, size):
    """What all the functions make of the same numbers, as bytes."""
    rng = np.random.default_rng(size)
    d, x, y, z = rng.standard_normal((4, size))
    double, n = ctypes.c_double, length(x)
    p, q, to, motion = np.zeros(1), np.zeros(1), np.zeros(size), np.zeros(5)
    found = [call(kernels.lpl_square_sum, n, x, result=double), call(kernels.lpl_distance_sq, n, x, y, result=double),
             call(kernels.lpl_move, n, x, double(0.3), y, to, result=double), to.copy(),
             call(kernels.lpl_arrive, n, x, y, double(0.3), z, to, p, q, result=double), to.copy(), p[0], q[0],
             call(kernels.lpl_slope, n, d, x, y, to, p, q, result=double), to.copy(), p[0], q[0],
             call(kernels.lpl_fall, n, d, x, y, z, p, result=double), p[0]]
    call(kernels.lpl_measure, n, x, y, z, d, motion)
    rows, columns = ctypes.c_ssize_t(3), ctypes.c_ssize_t(size // 3)
    found.append(call(kernels.lpl_absolute_norm_sq, rows, columns, x, np.empty(size // 3), result=double))
    k = min(size, 23)
    A = rng.standard_normal((k, k))
    for name in ("nn", "tn", "nt"):
        C = np.empty((k, k))
        call(getattr(kernels, f"lpl_small_{name}"), k, k, k, A, A, C)
        found.append(C)
    A = rng.standard_normal((size % 61, 70))
    factor, rows = padded(A @ A.T)
    call(kernels.lpl_cholesky, rows, rows + 8, factor, result=ctypes.c_int)
    found.append(np.triu(factor))
    n, double = len(A), ctypes.c_double
    packed, C = np.empty((-(-n // 16), 70, 16), np.float32), np.empty((n, n))
    for p in range(len(packed)):
        call(kernels.lpl_pack, n, 70, A, double(0.5), p, packed[p])
        turned = np.empty((70, 16), np.float32)
        call(kernels.lpl_pack_columns, 70, n, A.T.copy(), double(0.5), p, turned)
        assert np.array_equal(turned, packed[p])
    for p in range(len(packed)):
        call(kernels.lpl_gram_rows, n, 70, packed, double(4.0), p, C)
    F = shifted_panels(kernels, C, -1.0, 1e3, 2.0**-10)
    assert factor_panels(kernels, n, F) == -1
    found.append(call(kernels.lpl_absolute_norm, n, F, np.empty(16 * F.shape[1], np.float32), result=double))
    found += [packed, np.triu(C), np.triu(np.concatenate(F, axis=1) if n else F)]
    return b"".join(np.asarray(one).tobytes() for one in (*found, motion))


def test_elementary_functions_are_as_good_as_the_theory_says(kernels):
    rng = np.random.default_rng(0)
    ends = [0.0, np.log(2) / 2, np.log(2), 600.0, 700.0]
    # both sides of where k changes, of every size, and far out
    c = np.concatenate([ends, np.negative(ends), np.nextafter(ends, 0.0), rng.uniform(-0.36, 0.36, 177),
                        rng.uniform(-2, 2, 200), rng.uniform(-700, 700, 208), 10.0 ** rng.uniform(-150, 0, 200)])
    excess, exponential, log = np.empty((3, c.size))
    call(kernels.lpl_excess_of_all, length(c), c, excess, exponential)
    call(kernels.lpl_log1p_of_all, length(c), np.exp(abs(c)) - 1, log)
    with mpmath.workprec(1200):  # exp(c) - 1 - c of 1e-150 cancels 1000 bits
        for x, found, e, y in zip(c, excess, exponential, log, strict=True):
            exact = mpmath.exp(mpmath.mpf(x))
            assert abs(e - exact) <= 3 * U * exact
            assert abs(found - (exact - 1 - mpmath.mpf(x))) <= 40 * U * (exact - 1 - mpmath.mpf(x))
            exact = mpmath.log(1 + mpmath.mpf(float(np.exp(abs(x)) - 1)))
            assert abs(y - exact) <= 5 * U * exact


@pytest.mark.parametrize("m", [1, 2, 10])
@pytest.mark.parametrize("rows", [1, 8, 21])
def test_rows_and_tiles(kernels, rows, m):
    rng = np.random.default_rng(rows * m)
    tiles = (rows + 7) // 8
    A, T, back = rng.standard_normal((rows, m)), np.full(tiles * 8 * m, np.nan), np.zeros((rows, m))
    call(kernels.lpl_to_tiles, ctypes.c_ssize_t(rows), m, A, T)
    whole = np.zeros((tiles * 8, m))
    whole[:rows] = A
    assert np.array_equal(T, whole.reshape(tiles, 8, m).swapaxes(1, 2).ravel())
    call(kernels.lpl_from_tiles, ctypes.c_ssize_t(rows), m, T, back)
    assert np.array_equal(back, A)


def of_rows(kernels, m):
    """What the functions of rows make of the same numbers."""
    rng = np.random.default_rng(m)
    tiles = 4
    logits = 3 * rng.standard_normal((tiles, m, 8))
    moved, moves = 10 * rng.standard_normal((tiles, m, 8)), rng.standard_normal((tiles, 2 * m, 8))
    # a row that is far out
    logits[2, :, 3] *= 1e3
    moved[2, :, 3] *= 1e3
    logs = logits - logits.max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    P, D, p, summary, sums = np.exp(logs), moved.copy(), np.zeros_like(moved), np.zeros((tiles, 7, 8)), np.zeros(3)
    double, count = ctypes.c_double, ctypes.c_ssize_t(tiles)
    found = [call(kernels.lpl_tilt, count, m, logs, P, D, p, np.empty(16 * m), sums, sums[1:], result=double),
             call(kernels.lpl_spread, count, m, P, moved, sums[2:], result=double),
             call(kernels.lpl_summarize, count, m, p, moves, summary, result=double),
             call(kernels.lpl_growth_of_rows, count, summary, double(0.7), double(1e-14), result=double),
             call(kernels.lpl_growth_of_rows, count, summary, double(700.0), double(1e-14), result=double)]
    return [np.array(found), D, p, summary, sums]


def bits(kernels):
    """What all the functions make of the same numbers, of every size."""
    by_size = [everything(kernels, size) for size in SIZES]
    rows = [array for m in (1, 3) for array in of_rows(kernels, m)]
    assert all(np.isfinite(array).all() for array in rows)
    return by_size, [array.tobytes() for array in rows]


@pytest.fixture(scope="module")
def first_bits(tmp_path_factory):
    compiler, lanes, level = BUILDS[0]
    return bits(library(tmp_path_factory.mktemp("first"), level, f"-DLPL_LANES={lanes}", compiler=compiler))


@pytest.mark.parametrize(("compiler", "lanes", "level"), BUILDS[1:], ids=str)
def test_lanes_and_compilers_agree_to_the_last_bit(compiler, lanes, level, first_bits, tmp_path):
    assert bits(library(tmp_path, level, f"-DLPL_LANES={lanes}", compiler=compiler)) == first_bits
