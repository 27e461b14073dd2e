"""The child process: makes the calls of a range of numbers, and says before each what it is."""

import faulthandler
import json
import os
import resource
import sys
import tempfile
import warnings

from .calls import drawn
from .verdict import changed, documented, memory, nan_in, objection

# Bytes of address space: enough for every honest call. Sanitizers take terabytes of it.
MOST = 2**34


def shown(value):
    """Return a short form of a value that may not be able to say what it is."""
    try:
        said = repr(value)
    except Exception as error:
        said = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    said = " ".join(said.split())
    said = said if len(said) < 160 else f"{said[:150]}..."
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return f"{type(value).__name__}{shape}{dtype}:{said}" if isinstance(shape, tuple) and shape else said


def described(call):
    said = [shown(value) for value in call.args] + [f"{name}={shown(value)}" for name, value in call.options.items()]
    return f"{call.name}({', '.join(said)})"


def judged(call):
    """Make a call; return what is wrong with what it did, or None, and whether it returned."""
    given = (call.args, call.options)
    before = memory(given)
    try:
        result, error = call.function(*call.args, **call.options), None
    except Exception as raised:
        result, error = None, raised
    said = None
    if error is not None:
        said = objection(error, documented(*call.documents))
        if said:
            said += where(error)
    elif call.finite and nan_in(result):
        said = f"returned a NaN: {shown(result)}"
    elif call.right is not None and not call.right(result):
        said = f"returned what is wrong: {shown(result)}"
    others = changed(before, memory(given))
    return (f"changed its {', '.join(others)}" if others else said), error is None


def main(seed, first, last, only):
    """Make the calls, each announced on standard output."""
    faulthandler.enable()
    if "asan" not in os.environ.get("LD_PRELOAD", ""):
        resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    # what the library warns of is an exception here, and so is what NumPy warns of inside it
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", PendingDeprecationWarning)      # of np.matrix, which the fuzzer makes
    with os.fdopen(os.dup(1), "w", buffering=1) as out, tempfile.TemporaryDirectory() as folder:
        os.dup2(2, 1)
        os.chdir(folder)
        for number in range(first, last):
            out.write(json.dumps({"number": number, "call": "what it takes to make this call"}) + "\n")
            name, said, returned = made(seed, number, only, out)
            out.write(json.dumps({"number": number, "said": said, "returned": returned, "name": name}) + "\n")
        sys.stdout.flush()
        os.chdir("/")


def made(seed, number, only, out):
    """Draw a call, announce it and make it; return its name, what was wrong, and whether it returned."""
    try:
        call = drawn(seed, number, only)
    except Exception as error:
        # good arguments of extreme size may be refused too
        said = objection(error, {"OverflowError"})
        return "drawing", f"{said}{where(error)}" if said else None, False
    out.write(json.dumps({"number": number, "call": described(call)}) + "\n")
    return call.name, *judged(call)


def where(error):
    """Return the innermost line of a traceback."""
    frame = error.__traceback__
    while frame.tb_next is not None:
        frame = frame.tb_next
    return f" at {os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}"
