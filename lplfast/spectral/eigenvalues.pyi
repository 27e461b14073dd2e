# Of eigenvalues, nothing that Python sees.
