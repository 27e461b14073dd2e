"""Progress bars, by tqdm where it is installed."""

__all__ = ["bar_class", "progress_bar", "solution_bar"]


def bar_class():
    """Return tqdm's bar, or say which extra has it."""
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError('progress=True needs tqdm: pip install "lplfast[progress]"') from error
    return tqdm


def progress_bar(progress, total, unit="step"):
    """Return a context manager that gives a function to call with the number of units just done; None for no bar."""
    return _Bar(lambda bar: bar.update, total=total, unit=unit) if progress else None


def solution_bar():
    """Return a context manager that gives a function to call after each step of a solver, with the gradient's norm."""
    def tell(bar):
        def told(norm):
            bar.set_postfix(gradient=f"{norm:.1e}", refresh=False)
            bar.update()

        return told

    return _Bar(tell, desc="minimizer", unit="step")


class _Bar:
    def __init__(self, tell, **options):
        self.bar, self.tell = bar_class()(**options), tell

    def __enter__(self):
        return self.tell(self.bar)

    def __exit__(self, *exc):
        self.bar.close()
