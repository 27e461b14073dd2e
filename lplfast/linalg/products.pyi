# Of products, nothing that Python sees.
