"""`python -m tests.fuzz --calls 10000 --seed 1 --only Network`: make so many calls, and say what was wrong."""

import argparse
import collections
import json
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

from . import worker

ROOT = pathlib.Path(__file__).parent.parent.parent

# Seconds that one call may take: on a busy machine, and with every check on.
PATIENCE = 120


def lines_of(process):
    """Return a queue that receives the lines of a process, and None at its end."""
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def command(seed, first, last, only):
    """Return the command that makes these calls in a child process."""
    return [sys.executable, "-m", "tests.fuzz", "--worker", f"{first},{last}", "--seed", str(seed), "--only", only]


def made(command, patience=PATIENCE):
    """Run a child process; yield (number, call, what was wrong, returned, name) of each call that was begun."""
    with (tempfile.TemporaryFile("w+") as errors,
          subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process):
        lines, begun = lines_of(process), None
        try:
            while (line := lines.get(timeout=patience)) is not None:
                said = json.loads(line)
                if "call" in said:
                    begun = said
                else:
                    yield said["number"], begun["call"], said["said"], said["returned"], said["name"]
                    begun = None
        except queue.Empty:
            process.kill()
        status = process.wait()
        if status or begun:
            begun = begun or {"number": sys.maxsize, "call": "no call"}
            errors.seek(0)
            said = f"ended the process ({status}), or took {patience} s: {errors.read()[:4000]}"
            yield begun["number"], begun["call"], said, False, "crash"


def calls(seed, count, only):
    """Make all calls, in as many child processes as it takes."""
    first = 0
    while first < count:
        for number, *rest in made(command(seed, first, count, only)):
            first = number + 1
            yield number, *rest


def main(argv=None):
    """Make the calls; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--calls", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, help="the number of one call, to make it alone")
    parser.add_argument("--only", default="", help="what is called has this in its name")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.worker:
        worker.main(given.seed, *map(int, given.worker.split(",")), given.only)
        return 0
    wrong, returned, names = [], 0, collections.Counter()
    found = (made(command(given.seed, given.first, given.first + 1, given.only)) if given.first is not None
             else calls(given.seed, given.calls, given.only))
    for number, call, said, came_back, name in found:
        returned += came_back
        names[name] += 1
        if said:
            wrong.append(said)
            print(f"call {number} of seed {given.seed}: {call}\n    {said}", flush=True)
    total = sum(names.values())
    print(f"{total} calls of {len(names)} kinds: {returned} returned, {total - returned} refused or failed, "
          f"{len(wrong)} wrong.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
