"""`python -m bench [--quick] [--json FILE] [names...]`: run the benchmarks, print tables."""

import argparse
import json
import time

from . import bare, environment, iteration, kernels, losses, many, width

BENCHMARKS = {"kernels": kernels.tables, "iteration": iteration.tables, "width": width.tables,
              "bare": bare.tables, "losses": losses.tables, "many": many.tables}


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name",
                        help=f"which to run: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer steps and repeats: less than a minute")
    parser.add_argument("--json", metavar="FILE", help="write the rows and the environment to this file, too")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"expected names among {', '.join(BENCHMARKS)}, got {', '.join(unknown)}")

    started = time.perf_counter()
    found = environment.describe()
    environment.show(found)
    tables = []
    for name in options.names or BENCHMARKS:
        for table in BENCHMARKS[name](options.quick):
            print(f"\n{table}", flush=True)
            tables.append({"benchmark": name, **table.to_dict()})
    seconds = time.perf_counter() - started
    print(f"\n{seconds:.0f} s in all; load average now {environment.load()}, {found['load']} at the start")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"environment": found, "quick": options.quick, "seconds": seconds, "tables": tables},
                      file, indent=1)


if __name__ == "__main__":
    main()
