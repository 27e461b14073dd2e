"""A training run, from its arguments to what it returns.

In: what a user hands to `train` or `train_many`. `options` and `requirements` are checked first and make a
`plan`; the `driver` advances the compiled loop, and returns a `run` with its `outcome` in a sentence.
"""
