# Of imbalance, nothing that Python sees.
