"""An attribute that is worked out when it is first asked for."""

import functools

__all__ = ["once"]


class once(functools.cached_property):
    """`functools.cached_property` without the lock that it has in Python 3.11, one for all instances.

    Objects on several threads would wait for each other there, and a child that is forked while one is worked out would
    wait for ever. Two threads that ask at once may both work it out; both get what is kept.
    """

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        return vars(instance).setdefault(self.attrname, self.func(instance))
