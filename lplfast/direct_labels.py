"""Labels beside the curves of a figure, in place of a legend."""

import itertools

import numpy as np

__all__ = ["label_curves"]

# Of each curve, so many places are tried; of the others, so many points are kept clear.
CANDIDATES, POINTS = 41, 200

# On which side of such a place a label may be, and how far away, in dots.
SIDES = ((1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
GAPS = (3.0, 8.0, 15.0, 22.0, 30.0, 45.0)
SIDE_OF_PLACE, GAP_OF_PLACE = (np.array(column) for column in zip(*itertools.product(SIDES, GAPS), strict=True))

# Farther from its line than this, a label is joined to it.
NEAR = 15.0


def label_curves(ax, lines, labels, *, fontsize=7, clear_of=(), laid_out=False):
    """Write the label of each line beside it, where the other lines and labels are farthest away.

    Labels keep clear of the lines `clear_of`, too. A figure that has been `laid_out` since it last changed need not be
    again. To be called last, when the scales and limits of the axes are what they will be. Labels are in the colours of
    their lines; the limits do not change. One that finds no room beside its line is joined to it.
    """
    if not laid_out:
        ax.figure.canvas.figure.draw_without_rendering()
    box = ax.get_window_extent()
    curves = [_points(line, box) for line in (*lines, *clear_of)]
    taken = []
    for line, label, points in zip(lines, labels, curves[: len(lines)], strict=True):
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
        (x, y), point, gap = _best(_resampled(points, CANDIDATES), half, own, others, box)
        taken += [(x + i * half[0], y + j * half[1]) for i in (-1, -0.5, 0, 0.5, 1) for j in (-1, 0, 1)]
        text.set_position(ax.transAxes.inverted().transform((x, y)))
        if gap > NEAR:
            _join(ax, text, point, np.clip(point, np.subtract((x, y), half), np.add((x, y), half)))


def _join(ax, text, *ends):
    """Draw a thin line between two places on the screen, in the colour of a text."""
    from matplotlib.collections import LineCollection  # an extra

    # no line of the axes: those are curves
    joint = LineCollection([ax.transAxes.inverted().transform(ends)], colors=text.get_color(), linewidths=0.5,
                           transform=ax.transAxes)
    joint.set_in_layout(False)
    ax.add_collection(joint, autolim=False)


def _points(line, box):
    """Return the points of a line on the screen, inside the axes."""
    data = np.column_stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)])
    # not those of the data: a line across the axes has others
    points = line.get_transform().transform(data[np.isfinite(data).all(axis=1)])
    inside = np.isfinite(points).all(axis=1)
    inside[inside] = ((points[inside] >= [box.x0, box.y0]) & (points[inside] <= [box.x1, box.y1])).all(axis=1)
    return points[inside]


def _resampled(points, count):
    """Return so many points of a line, equally far from each other along it."""
    if len(points) < 2:
        return points
    along = np.append(0.0, np.hypot(*np.diff(points, axis=0).T).cumsum())
    at = np.linspace(0.0, along[-1], count)
    return np.column_stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)])


def _best(candidates, half, own, others, box):
    """Return the centre of a label beside one of the candidates that has most room, that place, and how far it is."""
    room, best = -np.inf, None
    for point in candidates:
        centres = point + SIDE_OF_PLACE * (half + GAP_OF_PLACE[:, None])
        outside = np.maximum([box.x0, box.y0] - centres + half, 0) + np.maximum(centres + half - [box.x1, box.y1], 0)
        # how far the points of its line, and those of other lines and labels, are from the box of this one
        near, far = (_distances(centres, half, points) for points in (own, others))
        # nothing under it comes first; then nearer to its own line than to others
        score = (30.0 * np.minimum(np.minimum(near, far), 3.0) - GAP_OF_PLACE + np.clip(far - near, -20.0, 20.0)
                 - 100.0 * outside.sum(axis=1))
        i = score.argmax()
        if score[i] > room:
            room, best = score[i], (centres[i], point, GAP_OF_PLACE[i])
    return best


def _distances(centres, half, points):
    """Return how far the nearest of the points is from each box; infinity if there is none."""
    x, y = (np.maximum(np.abs(points[:, axis] - centres[:, axis, None]) - half[axis], 0.0) for axis in (0, 1))
    return np.sqrt((x * x + y * y).min(axis=1, initial=np.inf))
