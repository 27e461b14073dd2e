"""Extreme singular values as brackets that contain the truth.

In: the layers, W and G of an `Iterate`, and how far they have moved. Out: its brackets `sigma_min_sq`,
`sigma_max_sq`, `sigma_max_W`, `G_max`, `nu`. `eigenvalues` computes one bracket, `brackets` widens it as its matrix
moves, `tangent` and `imbalance` have what follows from both layers. `spectral`, which opens with the design, is the
contract of the three ways to keep them: `exact`, `power` and `certified`, whose tuned numbers are in `budget`; `modes`
has their names.
"""
