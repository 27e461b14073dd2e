# Of team, nothing that Python sees.
