# Of brackets, nothing that Python sees.
