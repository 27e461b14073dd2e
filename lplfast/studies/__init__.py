"""Studies: an experiment at every cell of a grid, on the engines of joblib, into one `xarray.Dataset`.

A cell is a point of the grid and a seed. It is known by its key, a digest of its labels, and the key makes its stream
of random numbers; so no result depends on the order, the engine or the number of workers:

    Grid ──► cells ──► groups of a second ──► run_group, in a worker ──► Shard ──► Store ──► Dataset

Only the process that calls `sweep` writes. A shard is a group that has ended; it is committed by a rename.
"""
