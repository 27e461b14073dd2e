"""A figure that notebooks show: matplotlib's own are shown only where pyplot has been told of them."""

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A Figure that shows itself as the last expression of a notebook's cell, whatever the backend."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        # white behind it: black axes are none on a dark page
        self.savefig(file, format="png", dpi=150, facecolor="white")
        return file.getvalue()
