"""A training run, from its arguments to what it returns.

In: what a user hands to `train` or `train_many`. `options` and `requirements` are checked first and make a `plan`.
`execution` carries it out, a `crowd` many of them on threads: the `driver` advances the compiled loop, whose rows a
`recorder` keeps, and returns a `run` with its `outcome` in a sentence and an `info` of what was run. `schema`,
`entries` and `archive` are its file: what is in it, the checks, and the bytes; `checkpoint` and `folder` say when which
is written.
"""
