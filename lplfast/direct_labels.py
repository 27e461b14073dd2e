"""Labels beside the curves of a figure, in place of a legend."""

import itertools

import numpy as np

__all__ = ["label_curves"]

# Of each curve, so many places are tried; of the others, so many points are kept clear.
CANDIDATES, POINTS = 41, 200

# On which side of such a place a label may be, and how far away, in dots.
SIDES = ((1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
GAPS = (3.0, 8.0, 15.0)


def label_curves(ax, lines, labels, *, fontsize=7):
    """Write the label of each line beside it, where the other lines and labels are farthest away.

    To be called last, when the scales and limits of the axes are what they will be. Labels are in the colours of their
    lines; the limits do not change.
    """
    ax.figure.draw_without_rendering()
    box = ax.get_window_extent()
    curves = [_points(ax, line, box) for line in lines]
    taken = []
    for line, label, points in zip(lines, labels, curves, strict=True):
        if not len(points):
            continue
        # in parts of the axes, so that it stays there whatever the resolution
        text = ax.text(0.5, 0.5, label, transform=ax.transAxes, color=line.get_color(), fontsize=fontsize,
                       ha="center", va="center")
        text.set_in_layout(False)
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2
        own = _resampled(points, POINTS)
        others = np.concatenate([np.reshape(taken, (-1, 2))] + [_resampled(other, POINTS) for other in curves
                                                                if other is not points])
        x, y = _best(_resampled(points, CANDIDATES), half, own, others, box)
        taken += [(x + i * half[0], y + j * half[1]) for i in (-1, -0.5, 0, 0.5, 1) for j in (-1, 0, 1)]
        text.set_position(ax.transAxes.inverted().transform((x, y)))


def _points(ax, line, box):
    """Return the points of a line on the screen, inside the axes."""
    data = np.column_stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)])
    points = ax.transData.transform(data[np.isfinite(data).all(axis=1)])
    inside = np.isfinite(points).all(axis=1)
    inside[inside] = [box.contains(x, y) for x, y in points[inside]]
    return points[inside]


def _resampled(points, count):
    """Return so many points of a line, equally far from each other along it."""
    if len(points) < 2:
        return points
    along = np.append(0.0, np.hypot(*np.diff(points, axis=0).T).cumsum())
    at = np.linspace(0.0, along[-1], count)
    return np.column_stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)])


def _best(candidates, half, own, others, box):
    """Return the centre of a label beside one of the candidates that has most room."""
    room, best = -np.inf, None
    for point, side, gap in itertools.product(candidates, SIDES, GAPS):
        centre = point + np.array(side) * (half + gap)
        outside = np.maximum([box.x0, box.y0] - centre + half, 0.0) + np.maximum(centre + half - [box.x1, box.y1], 0.0)
        # how far the points of its line, and those of other lines and labels, are from the box of this one
        near, far = (np.hypot(*np.maximum(np.abs(points - centre) - half, 0.0).T).min(initial=np.inf)
                     for points in (own, others))
        # nothing under it comes first; then nearer to its own line than to others
        score = 10.0 * min(near, far, 3.0) - gap + min(max(far - near, -20.0), 20.0) - 100.0 * outside.sum()
        if score > room:
            room, best = score, centre
    return best
