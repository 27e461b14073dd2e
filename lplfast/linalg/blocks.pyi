# Of blocks, nothing that Python sees.
