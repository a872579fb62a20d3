"""The soft parts of a chest as fields of signed distance: body, chest cavity, diaphragm, heart and vessels, lungs, airways.

Millimetres: x to the patient's left, y to the back, z to the head; z = 0 is the lowest slice. Sizes are those of a grown-up at
full breath; the shapes are drawn by hand after axial anatomy, from no patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medimg.phantoms._shapes import ellipsoid, intersection, smooth_path, true_distance, tube, union

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.float64]

COARSE_MM = 2.0  # step of the fields; surfaces are smooth, so linear interpolation errs by less than 0.1 mm
APEX_MM = 231.0  # the top of the lungs
WIDEST_MM = 84.0  # the level where the chest is widest
CAVITY_CENTER = (0.0, -2.0, WIDEST_MM)
SIDE_CENTER_MM = 52.0  # middle of each half of the chest
BARREL = 2.2  # 2 is an ellipse; a chest is a little squarer
SPINE_Y_MM = 51.0  # middle of the vertebral bodies
WALL_MM = 3.5  # soft tissue between the lung and its neighbours
STEM_WALL_MM = 0.6  # the same around the vessels and bronchi that enter the lung
HILUM = {"right": (-42.0, 8.0, 136.0), "left": (44.0, 12.0, 138.0)}

# Air ways: centre line (x, y, z, radius)
TRACHEA = smooth_path([(0, -6, 262, 9), (0, 2, 215, 9), (1, 10, 180, 8.5), (-1, 14, 161, 8.5)])
BRONCHI = {
    "right": smooth_path([(-1, 14, 161, 8), (-18, 15, 150, 7), (-30, 14, 143, 5.6), (*HILUM["right"], 4.2)]),
    "left": smooth_path([(-1, 14, 161, 8), (20, 18, 148, 6.6), (34, 17, 141, 5.4), (*HILUM["left"], 4.2)]),
}
AIRWAY_WALL_MM = 1.4

# Great vessels: centre line (x, y, z, radius)
AORTA = smooth_path(
    [
        *(
            (4, -22, 108, 14),
            (-8, -32, 130, 15),
            (-12, -28, 155, 14.5),
            (-4, -16, 172, 14),
            (10, 8, 180, 13.5),
            (22, 27, 172, 13),
        ),
        *((26, 34, 150, 12.5), (26, 35, 110, 12), (22, 34, 60, 12), (12, 30, 10, 11.5), (8, 28, -30, 11)),
    ]
)
CAVA = [
    smooth_path([(-24, -14, 118, 10), (-27, -18, 150, 9.5), (-23, -22, 185, 8.5), (-25, -20, 215, 7.5), (-38, -16, 262, 7)]),
    smooth_path([(-22, -22, 192, 7), (0, -31, 200, 7), (24, -24, 212, 6.5), (40, -18, 262, 6.5)]),
    smooth_path([(-24, 6, -30, 12), (-24, 4, 40, 12.5), (-22, -2, 84, 13)]),
]
NECK_ARTERIES = [
    smooth_path([(-6, -14, 178, 6.5), (-12, -12, 200, 6), (-20, -6, 225, 4.5), (-24, -4, 262, 4)]),
    smooth_path([(6, -4, 180, 4.5), (12, -6, 205, 4.2), (20, -4, 262, 4)]),
    smooth_path([(16, 8, 180, 5.5), (24, 10, 205, 5.2), (36, 4, 228, 5), (60, -4, 262, 5)]),
]
LUNG_ARTERIES = [
    smooth_path([(16, -44, 112, 14), (18, -38, 130, 14), (16, -20, 146, 13.5)]),
    smooth_path([(14, -18, 147, 11), (-8, -6, 144, 10.5), (-30, -2, 142, 9), (-44, 0, 141, 6.4)]),
    smooth_path([(18, -20, 148, 11.5), (32, -8, 151, 10), (40, -1, 148, 8.5), (47, 4, 144, 6.4)]),
]
LUNG_VEINS = [
    smooth_path([(-18, 6, 112, 9), (-32, 9, 110, 6.5), (-42, 12, 107, 4.8)]),
    smooth_path([(-20, -2, 122, 8), (-34, -11, 126, 6.5), (-44, -16, 130, 4.8)]),
    smooth_path([(18, 10, 112, 9), (34, 13, 109, 6.5), (44, 17, 105, 4.8)]),
    smooth_path([(22, 0, 122, 8), (36, -12, 127, 6.5), (46, -18, 132, 4.8)]),
]
ESOPHAGUS = smooth_path([(4, 16, 262, 7), (6, 26, 170, 7), (2, 28, 120, 8), (8, 20, 60, 8), (22, 8, 30, 9)])


@dataclass(frozen=True)
class Anatomy:
    """Fields (z, y, x) on a coarse grid, in mm; `axes` are its z, y and x in mm."""

    axes: tuple[Field, Field, Field]
    body: Field
    outside: Field  # distance from the chest cavity, positive in the wall
    lungs: Field
    envelope: Field  # mediastinum with its fat
    heart: Field
    vessels: Field
    airway: Field
    esophagus: Field
    diaphragm: Field  # below 0 in the abdomen
    fissures: Field  # distance from the nearest fissure, always positive


def build(*, width_mm: float, front_mm: float, back_mm: float, height_mm: float) -> Anatomy:
    """Build the fields over a box of `width_mm`, from `front_mm` to `back_mm` and 0 to `height_mm`, with a margin of one step."""
    x = np.arange(-width_mm / 2 - COARSE_MM, width_mm / 2 + 2 * COARSE_MM, COARSE_MM)
    y = np.arange(front_mm - COARSE_MM, back_mm + 2 * COARSE_MM, COARSE_MM)
    z = np.arange(-COARSE_MM, height_mm + 2 * COARSE_MM, COARSE_MM)
    axes = (z, y, x)
    points = (x[None, None, :], y[None, :, None], z[:, None, None])
    cavity = _near(_cavity(*points))
    heart = _heart(points)
    great = _tubes(points, [AORTA, *CAVA, *NECK_ARTERIES, LUNG_ARTERIES[0]])
    stems = _tubes(points, [*LUNG_ARTERIES[1:], *LUNG_VEINS])
    vessels = union(great, stems)
    windpipe, bronchi = _tubes(points, [TRACHEA]), _tubes(points, list(BRONCHI.values()))
    airway = union(windpipe, bronchi)
    esophagus = _tubes(points, [ESOPHAGUS])
    diaphragm = _near(_diaphragm(*points))
    contents = union(heart, great, windpipe - AIRWAY_WALL_MM, esophagus, rounding_mm=10) - WALL_MM
    leaving = union(stems, bronchi - AIRWAY_WALL_MM, rounding_mm=3) - STEM_WALL_MM  # they end in the lung, where the trees begin
    envelope = union(contents, _mediastinal_fat(points), _spine_bulge(points), rounding_mm=16)
    envelope = _near(union(envelope, leaving, rounding_mm=8))
    lungs = _near(intersection(cavity, -envelope, -diaphragm, rounding_mm=7))
    return Anatomy(
        axes=axes,
        body=_near(_body(*points)),
        outside=cavity,
        lungs=lungs,
        envelope=envelope,
        heart=_near(heart),
        vessels=vessels,
        airway=airway,
        esophagus=esophagus,
        diaphragm=diaphragm,
        fissures=_fissures(*points),
    )


def _near(field: Field) -> Field:
    return true_distance(field, step_mm=(COARSE_MM,) * 3)


def _tubes(points: tuple[Field, Field, Field], lines: list[Field]) -> Field:
    """Return the union of tubes (x, y, z, radius), worked out only in a box around each."""
    shape = np.broadcast_shapes(*(axis.shape for axis in points))
    result = np.full(shape, 60.0)
    x, y, z = (axis.ravel() for axis in points)
    for line in lines:
        for piece in (line[first : first + 5] for first in range(0, len(line) - 1, 4)):
            reach = piece[:, 3].max() + 24.0
            low, high = piece[:, :3].min(axis=0) - reach, piece[:, :3].max(axis=0) + reach
            box = tuple(slice(*np.searchsorted(axis, (low[i], high[i]))) for axis, i in ((z, 2), (y, 1), (x, 0)))
            near = (x[box[2]][None, None, :], y[box[1]][None, :, None], z[box[0]][:, None, None])
            if min(part.size for part in near):
                result[box] = np.minimum(result[box], tube(near, piece[:, :3], piece[:, 3]))
    return result


def _cavity(x: Field, y: Field, z: Field) -> Field:
    """The inside of the rib cage: a barrel, met by a dome over each lung."""
    taper = np.clip((z - WIDEST_MM) / (APEX_MM + 22 - WIDEST_MM), 0, 1) ** 2
    low = np.clip((WIDEST_MM - z) / WIDEST_MM, 0, 1.3) ** 2
    half_width = 134 - 34 * taper - 5 * low
    front, back = 88 - 26 * taper - 4 * low, 84 - 16 * taper + 2 * low
    middle_y = -3 + 12 * taper + 2 * low
    depth = np.where(y < middle_y, front, back)
    barrel = ((np.abs(x) / half_width) ** BARREL + (np.abs(y - middle_y) / depth) ** BARREL) ** (1 / BARREL) - 1
    side = SIDE_CENTER_MM - 4
    dome_radii = (88.0, 92.0, APEX_MM - WIDEST_MM)
    across = np.maximum(np.abs(x), side)  # the middle of the chest belongs to both halves up to their tops
    dome = ellipsoid((across, y, np.maximum(z, WIDEST_MM)), (side, 6.0, WIDEST_MM), dome_radii, power=2.05)
    return intersection(barrel * 85, dome, rounding_mm=14)


def _body(x: Field, y: Field, z: Field) -> Field:
    """The skin: an oval, flat at the back, wider at the shoulders, with a hollow along the spine."""
    shoulder = 1 / (1 + np.exp(-(z - 205) / 14))
    half_width = 157 + 7 * shoulder - 0.02 * (z - 120)
    middle_y = 2 + 4 * shoulder
    front = 112 - 18 * shoulder + 0 * x
    hollow = 5 * np.exp(-((x / 16) ** 2))
    back = 107 - 4 * shoulder - hollow
    breast = 7 * np.exp(-(((np.abs(x) - 74) / 34) ** 2) - ((z - 95) / 48) ** 2)
    depth = np.where(y < middle_y, front + breast, back)
    power = 2.3
    return (((np.abs(x) / half_width) ** power + (np.abs(y - middle_y) / depth) ** power) ** (1 / power) - 1) * 110


def _diaphragm(x: Field, y: Field, z: Field) -> Field:
    """Two domes, deepest at the back and the sides; the right one stands higher."""

    def dome(center_x: float, top: float, radius_in: float, radius_out: float) -> Field:
        radius_x = np.where((x - center_x) * np.sign(center_x) > 0, radius_out, radius_in)
        rho = np.sqrt(((x - center_x) / radius_x) ** 2 + ((y + 12) / 84) ** 2)
        fall = 46 + 22 / (1 + np.exp(-(y + 5) / 22))  # lower behind than in front
        return top - fall * rho**2.6

    height = -union(-dome(-64, 66, 92, 74), -dome(66, 56, 92, 72), -dome(4, 66, 62, 62), rounding_mm=14)
    return z - height


def _heart(points: tuple[Field, Field, Field]) -> Field:
    x, y, z = points
    turn, dip = np.deg2rad(38), np.deg2rad(24)  # the apex points to the left, forwards and down
    along = (np.cos(turn) * np.cos(dip), -np.sin(turn) * np.cos(dip), -np.sin(dip))
    side = (np.sin(turn), np.cos(turn), 0.0)
    up = (np.cos(turn) * np.sin(dip), -np.sin(turn) * np.sin(dip), np.cos(dip))
    moved = (x - 20, y + 34, z - 86)
    turned = tuple(sum(part * axis for part, axis in zip(moved, direction, strict=True)) for direction in (along, side, up))
    ventricles = ellipsoid(turned, (0, 0, 0), (60, 40, 40), power=2.2)
    right_atrium = ellipsoid(points, (-26, -26, 96), (20, 26, 32))
    left_atrium = ellipsoid(points, (0, 8, 112), (30, 17, 20))
    return union(ventricles, right_atrium, left_atrium, rounding_mm=12)


def _mediastinal_fat(points: tuple[Field, Field, Field]) -> Field:
    """Fat behind the breast bone, at the heart's edges and around the vessels to the neck."""
    x, y, z = points
    behind_sternum = np.abs(x - 4) - (2.2 + 13 * np.exp(-((z / 55) ** 2)) + 0.12 * np.clip(z - 165, 0, None))
    behind_sternum = np.maximum(behind_sternum, y + 20)
    pads = union(ellipsoid(points, (56, -62, 52), (24, 20, 20)), ellipsoid(points, (-34, -62, 50), (22, 18, 20)), rounding_mm=8)
    neck = np.abs(x) - (20 + 0.30 * np.clip(z - 190, 0, None)) + 0.012 * (y - 4) ** 2 + np.clip(186 - z, 0, None)
    central = ellipsoid(points, (2, 2, 150), (26, 34, 42))
    return union(behind_sternum, pads, neck, central, rounding_mm=12)


def _spine_bulge(points: tuple[Field, Field, Field]) -> Field:
    """What the spine and the tissue beside it push into the chest."""
    x, y, _ = points
    body = (((x / 22) ** 2 + ((y - SPINE_Y_MM) / 19) ** 2) ** 0.5 - 1) * 19
    behind = np.abs(x) - (20 + 0.42 * (y - SPINE_Y_MM - 8)) + np.clip(SPINE_Y_MM + 2 - y, 0, None)
    return union(body, behind, rounding_mm=8) + 0 * points[2]


def _fissures(x: Field, y: Field, z: Field) -> Field:
    """Distance from the fissures: an oblique one in both lungs, and in the right a level one in front of it."""
    right = x < 0
    bend = 0.0009 * (np.abs(x) - 70) ** 2
    oblique = oblique_fissure(x, y, z)
    level = np.where(right & (oblique > 0), np.abs(z - 122 - 0.10 * (y + 40) + 2 * bend), 99.0)
    return np.minimum(np.abs(oblique), level)


def oblique_fissure(x: Field, y: Field, z: Field) -> Field:
    """Return the signed distance from the oblique fissure, above 0 in front of it (upper and middle lobe)."""
    bend = 0.0009 * (np.abs(x) - 70) ** 2
    slope = 1.05  # from high at the back to low in front
    return (z - (142 + slope * (y - 22) * 1.0) - 14 * bend + np.where(x < 0, 4.0, 0.0)) / np.sqrt(1 + slope**2)


def lobe(x: Field, y: Field, z: Field) -> NDArray[np.int64]:
    """Number the lobes: 0 lower, 1 upper, 2 middle (right only)."""
    front = oblique_fissure(x, y, z) > 0
    middle = front & (x < 0) & (z < 122 + 0.10 * (y + 40) - 0.0018 * (np.abs(x) - 70) ** 2)
    return np.where(middle, 2, np.where(front, 1, 0))
