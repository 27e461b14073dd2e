"""The compiled loop: evaluate, bracket, choose, step, check.

In: a `Loss`, a `Rule`, a `Spectral` and the layers. Out: rows of the history, and the state that a continued
run starts from.
"""
