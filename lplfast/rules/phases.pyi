# Of phases, nothing that Python sees.
