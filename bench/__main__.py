"""`python -m bench [--quick] [--json FILE] [names...]`: run the benchmarks, print tables."""

import argparse
import json
import time

from . import calls, cores, environment, losses, many, minimizer, products, rivals, scaling, speed, studies, tolerance
from .compiled import compiled

BENCHMARKS = {"bare": products.tables, "rivals": rivals.tables, "calls": calls.tables, "scaling": scaling.tables,
              "speed": speed.tables, "losses": losses.tables, "minimizer": minimizer.tables,
              "tolerance": tolerance.tables, "many": many.tables, "studies": studies.tables, "cores": cores.tables}


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name",
                        help=f"which to run: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, steps and repeats: less than two minutes")
    parser.add_argument("--json", metavar="FILE", help="write the rows and the environment to this file, too")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"expected names among {', '.join(BENCHMARKS)}, got {', '.join(unknown)}")
    try:
        compiled()  # now, and not after minutes of measuring
    except ImportError as error:
        parser.error(str(error))

    started, load = time.perf_counter(), environment.load()
    tables = []
    for name in options.names or BENCHMARKS:
        for table in BENCHMARKS[name](options.quick):
            print(f"{table}\n\n[{time.perf_counter() - started:.0f} s]\n", flush=True)
            tables.append(table)
    found = environment.describe() | {"load": [load, environment.load()], "seconds": time.perf_counter() - started}
    environment.show(found)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"environment": found, "quick": options.quick, "tables": [table.to_dict() for table in tables]},
                      file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
