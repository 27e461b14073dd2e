"""Step-size rules: immutable objects that look at an `Iterate` and set its `eta`.

In: an `Iterate` and, for searches, the compiled loss. Out: a step size. `rule` is the contract, `formulas` what
K_t is; then `guaranteed`, `search`, `classical`, `published` and `function` (a Python function of an
`IterateView`). `catalogue` has them all by name, `registry` is what else a user may mean by a step size.
"""
