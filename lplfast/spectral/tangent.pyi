# Of tangent, nothing that Python sees.
