"""Extreme singular values as brackets that contain the truth.

In: the layers, W and G of an `Iterate`, and how far they have moved. Out: its brackets `sigma_min_sq`,
`sigma_max_sq`, `sigma_max_W`, `G_max`, `nu`. `eigenvalues` computes one bracket, `tangent` and `imbalance` what
follows from both layers, `spectral` says when which is computed anew.
"""
