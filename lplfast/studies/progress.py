"""A bar of the cells of a study, in terminals and notebooks; elsewhere nothing is printed."""

import sys

from ..progress import bar_class

__all__ = ["Progress"]


class Progress:
    """Context manager: `advance(shard)` counts what has ended, beside what was there before.

    tqdm shows the rate and the time that is left.
    """

    def __init__(self, shown, total, before):
        self.bar, self.failed = None, 0
        if shown:
            self.bar = _bar(total, before)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.bar is not None:
            self.bar.close()

    def advance(self, shard):
        """Count the cells of a group that has ended, and how many of them failed."""
        if self.bar is None:
            return
        self.failed += sum(map(bool, shard.errors))
        if self.failed:
            self.bar.set_postfix_str(f"{self.failed} failed", refresh=False)
        self.bar.update(len(shard.keys))


def _bar(total, before):
    # None: where the output is no terminal, there is no bar; a kernel of Jupyter is none, and shows it
    disable = False if "ipykernel" in sys.modules else None
    return bar_class()(total=total, initial=before, unit="cell", disable=disable)
