"""The compiled core. `loss.pxd` and `rule.pxd` are public: cimport them to write a loss or a rule in Cython."""
