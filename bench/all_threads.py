"""`python -m bench.all_threads RIVAL N M H STEPS`: a rival with as many threads as it likes, in a process of its own.

It says when it is ready, and then, for each line that it is sent, how many seconds its steps have taken.
"""

import os
import subprocess
import sys
import time

__all__ = ["ALONE", "AllThreads"]

# What the rivals' modules look at before they hold their libraries to one thread.
ALONE = "LPLFAST_BENCH_ALL_THREADS"


class AllThreads:
    """Such a process, as a context manager."""

    def __init__(self, rival, size, steps):
        command = [sys.executable, "-m", "bench.all_threads", rival, *map(str, (*size, steps))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | {ALONE: "1"})

    def __enter__(self):
        self._answer()
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def seconds(self):
        """Have it take its steps; return how long that took it."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self._answer())

    def _answer(self):
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("a rival's process has ended: what it wrote to stderr says why")
        return answer


def main():
    from .cases import Case
    from .rivals import RIVALS

    name, *numbers = sys.argv[1:]
    n, m, h, steps = map(int, numbers)
    case, rival = Case.make(n, m, h), RIVALS[name].load()
    rival(*case).advance(steps)
    print("ready", flush=True)
    for _line in sys.stdin:
        descent = rival(*case)
        started = time.perf_counter()
        descent.advance(steps)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
