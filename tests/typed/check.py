"""What mypy and stubtest say of the types of the lplfast that this Python has installed.

`python tests/typed/check.py`, from a folder without the sources: of everything.py there is nothing to be said, each
mistake of mistakes.py is found, and stubs are as the modules are.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CONFIG = HERE / "mypy.ini"


def said(*command):
    """Return the exit code of a module of mypy, and what it printed."""
    done = subprocess.run([sys.executable, "-m", *map(str, command)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def mypy(name):
    """Return the exit code and the output of a strict check of a file here."""
    return said("mypy", "--strict", "--config-file", CONFIG, "--no-error-summary", "--hide-error-context", HERE / name)


def planted(text):
    """Return the line and the code of every mistake."""
    return {(number, code) for number, line in enumerate(text.splitlines(), start=1)
            for code in re.findall(r"# error: ([\w-]+)$", line)}


def main():
    """Check everything; return the exit code."""
    code, output = mypy("everything.py")
    if code:
        print(output)
        return 1
    print("everything.py: nothing to be said")
    expected = planted((HERE / "mistakes.py").read_text(encoding="utf-8"))
    output = mypy("mistakes.py")[1]
    errors = re.findall(r":(\d+): error: .*\[([\w-]+)\]$", output, flags=re.MULTILINE)
    found = {(int(line), code) for line, code in errors}
    if found != expected:
        print(f"not found: {sorted(expected - found)}; found beside: {sorted(found - expected)}\n{output}")
        return 1
    print(f"mistakes.py: {len(found)} of {len(expected)} found")
    code, output = said("mypy.stubtest", "lplfast", "--mypy-config-file", CONFIG, "--allowlist", HERE / "allowlist.txt",
                        "--ignore-disjoint-bases", "--concise")
    print(output.strip() if code else "stubs: as the modules are")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
