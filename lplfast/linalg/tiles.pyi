# Of tiles, nothing that Python sees.
