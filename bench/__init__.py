"""Benchmarks of lplfast: the same work, the same run, against the machine's limit and what a user would write instead.

`python -m bench` runs them all and prints tables; `--quick` takes less than two minutes. No rival is timed before its
history has been compared with lplfast's. All run interleaved, on one BLAS thread; what counts is ratios, not times,
and nothing is asserted about either. docs/benchmarks.md says what each table is.
"""
