# Of iterations, nothing that Python sees.
