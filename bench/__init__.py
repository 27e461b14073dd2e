"""Benchmarks of lplfast: the same work, the same run, against what a user would write instead.

`python -m bench` runs them all and prints tables; `--quick` takes less than a minute. No rival is timed
before its trajectory has been compared with lplfast's. Rivals run interleaved and on one BLAS thread; what
counts is ratios, not times, and nothing is asserted about either.
"""
