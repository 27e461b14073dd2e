"""Losses l(W): what a user makes of data, and what of it the compiled loop sees.

In: data and labels (`squared`, `softmax`, `logistic`, `robust`, `custom`). Out: a `Problem` with its constants, and a
compiled `Loss` (`loss`, `rowwise`, `function`, ...) that is a function of `basis.T @ W`. `least_squares` and
`newton` find minimizers and prove how wrong they are; `labels` says what the classes are; `checking` tries to
refute what a loss declares.
"""
