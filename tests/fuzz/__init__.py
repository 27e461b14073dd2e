"""A fuzzer of everything public and of every compiled function that Python can reach: `python -m tests.fuzz`.

A call is drawn from its number and the seed: what is called (targets.py, results.py, kernels.py), with good arguments
(objects.py) of which some are replaced by others (values.py). It may return, or raise what its docstring says, or a
TypeError or ValueError that says what was expected (verdict.py). Its arguments must be as they were. Calls are made in
a child process (worker.py), so that one that crashes or hangs is reported and the others still made.

What is not called: `from_dict`, whose dicts the schema of files checks, and what the solver alone asks of a loss of
labels.
"""
