"""A body with five spheres whose places and values are known, and the planes that show it."""

from __future__ import annotations

import numpy as np

CENTRE = np.array([20.0, -30.0, 150.0])  # LPS mm; nothing lies at the origin
RADIUS = 8.0
SPHERES = {
    "A": ((-30, -18, -28), 300),
    "B": ((24, -26, -12), 500),
    "C": ((-16, 22, 2), 700),
    "D": ((32, 14, 16), 900),
    "E": ((-4, -6, 30), 1100),
}
SLICES, STEP_MM, PIXELS, PIXEL_MM = 24, 4.0, 64, 2.0
AXIAL = (1, 0, 0, 0, 1, 0)


def hu_at(points, shift=(0, 0, 0)):
    """Return the phantom's value at LPS points (..., 3); edges are hard, so that stored values come back exactly."""
    rest = points - CENTRE
    values = np.full(points.shape[:-1], -1000.0)
    values[((rest[..., 0] / 56) ** 2 + (rest[..., 1] / 46) ** 2) < 1] = 0.0
    for centre, value in SPHERES.values():
        values[((rest - np.array(centre) - np.array(shift)) ** 2).sum(-1) <= RADIUS**2] = value
    return values


class Plane:
    """One slice: the place of its first pixel's centre, its directions, pixel spacing (row, column) and size."""

    def __init__(self, position, orientation=AXIAL, spacing=(PIXEL_MM, PIXEL_MM), shape=(PIXELS, PIXELS)):
        self.position, self.orientation = np.array(position, float), np.array(orientation, float)
        self.spacing, self.shape = spacing, shape

    def points(self):
        """Return the LPS points of its pixels, (rows, columns, 3)."""
        row, column = np.meshgrid(np.arange(self.shape[0]), np.arange(self.shape[1]), indexing="ij")
        across = column[..., None] * self.spacing[1] * self.orientation[:3]
        return self.position + across + row[..., None] * self.spacing[0] * self.orientation[3:]


def stack(offsets=None, orientation=AXIAL, spacing=(PIXEL_MM, PIXEL_MM), shape=(PIXELS, PIXELS), step=None, centre=CENTRE):
    """Return planes centred on the phantom; `offsets` are mm along `step` (the slices' normal, if not given)."""
    axes = np.array(orientation, float)
    step = np.cross(axes[:3], axes[3:]) if step is None else np.array(step, float)
    offsets = even_offsets() if offsets is None else np.asarray(offsets, float)
    corner = centre - axes[:3] * spacing[1] * (shape[1] - 1) / 2 - axes[3:] * spacing[0] * (shape[0] - 1) / 2
    return [Plane(corner + offset * step, axes, spacing, shape) for offset in offsets]


def even_offsets():
    """Return where the slices of the plain stack lie about the middle, mm."""
    return (np.arange(SLICES) - (SLICES - 1) / 2) * STEP_MM


def turned(axis, deg):
    """Return the matrix of a turn about x, y or z."""
    cosine, sine = np.cos(np.deg2rad(deg)), np.sin(np.deg2rad(deg))
    return {
        "x": np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]),
        "y": np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]),
        "z": np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]),
    }[axis]
