"""Bones of a slice as fields of signed distance: ribs, spine, breast bone, collar bones, shoulder blades."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.phantoms._anatomy import SPINE_Y_MM
from medimg.phantoms._shapes import intersection, smooth_path, tube, union

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.float64]

LEVEL_MM = 22.0  # from one vertebra, and one rib, to the next
TOP_LEVEL_MM = 226.0  # where the first rib leaves the spine
DROP_MM = 84.0  # how much lower a rib would end in front than it begins
RIBS = 12
LEFT_HIGHER_MM = 4.0  # nobody is quite straight
RIB_FROM_CAVITY_MM = 6.5
RIB_HALF = (3.2, 6.2)  # half of its thickness and height
HEAD_MM = 22.0  # where a rib begins beside the spine
CARTILAGE_RAD = 2.42  # angle from the back at which a rib goes over into cartilage
FLOATING = 7  # ribs from this one on (counted from 0) end at the side and have no cartilage
COLLAR = smooth_path([(14, -66, 208), (34, -72, 216), (64, -62, 228), (98, -44, 240), (130, -30, 250)])
FAR = 50.0


def rounded_box(parts: tuple[Field, ...], half: tuple[float, ...], corner: float) -> Field:
    """Return the distance from a box of `half` sizes around 0, its corners rounded."""
    beyond = [np.abs(part) - (size - corner) for part, size in zip(parts, half, strict=True)]
    outside = np.sqrt(sum(np.clip(part, 0, None) ** 2 for part in beyond))
    deepest = beyond[0]
    for part in beyond[1:]:
        deepest = np.maximum(deepest, part)
    return outside + np.minimum(deepest, 0) - corner


def ribs(x: Field, y: Field, z: float, outside: Field) -> tuple[Field, Field]:
    """Return the distances from the ribs' bone and from their cartilage; `outside` is the distance from the chest cavity."""
    angle = np.arctan2(np.abs(x), y + 4)  # 0 at the back, pi in front
    fall = DROP_MM * (1 - np.cos(angle)) / 2
    fall = fall - np.clip(angle - CARTILAGE_RAD, 0, None) * 26  # cartilage climbs to the breast bone
    height = z + fall + LEFT_HIGHER_MM * (x > 0)
    number = np.clip(np.rint((TOP_LEVEL_MM - height) / LEVEL_MM), 0, RIBS - 1)
    above = (height - (TOP_LEVEL_MM - LEVEL_MM * number)) * 0.95  # measured across the slope
    thin = np.clip((angle - 0.5) * 0.5, 0, 0.4)  # thicker at the back
    shape = rounded_box((outside - RIB_FROM_CAVITY_MM, above), (RIB_HALF[0] + 0.4, RIB_HALF[1]), 2.6) + thin
    bone_end = np.where(number >= FLOATING, np.clip(2.9 - 0.22 * (number - FLOATING + 1), 1.2, None), CARTILAGE_RAD)
    bone = np.where(angle > bone_end, FAR, np.maximum(shape, np.where(y > 0, HEAD_MM - np.abs(x), -FAR)))
    cartilage = np.where((number >= FLOATING) | (angle <= bone_end) | (np.abs(x) < 12), FAR, shape + 0.4)
    return bone, cartilage


def spine(x: Field, y: Field, z: float) -> tuple[Field, Field, Field]:
    """Return the distances from the vertebrae, from the discs between them and from the spinal canal."""
    local = (z - TOP_LEVEL_MM + LEVEL_MM / 2) % LEVEL_MM - LEVEL_MM / 2  # from the middle of the vertebra
    size = 0.9 + 0.25 * (1 - z / 240)  # lower vertebrae are larger
    waist = 1.6 * (1 - (local / 9) ** 2)
    back = y - SPINE_Y_MM
    round_body = ((np.abs(x) / (17 * size)) ** 2.4 + (np.abs(back) / (13.5 * size)) ** 2.4) ** (1 / 2.4) - 1
    round_body = round_body * 14 * size
    round_body = intersection(round_body, 9 - np.hypot(x, back - 20), rounding_mm=3)  # hollow behind
    body = np.maximum(round_body + max(waist, 0.0), abs(local) - 9.3)
    disc = np.maximum(round_body + 0.5, 9.3 - abs(local))
    canal_y = SPINE_Y_MM + 13.5 * size + 8.0
    canal = np.hypot(x / 1.1, y - canal_y) - 7.5
    ring = np.maximum(np.abs(np.hypot(x / 1.15, y - canal_y) - 10.5) - 2.6, np.maximum(canal_y - 6 - y, abs(local + 3) - 8.5))
    pedicle = np.maximum(rounded_box((np.abs(x) - 11.0, y - canal_y + 6), (3.2, 8.0), 2.0), abs(local - 2.5) - 5.5)
    process_y = canal_y + 11 + 4.0 * np.clip((6 - local) / 14, 0, 1)
    process = np.maximum(rounded_box((x, y - process_y - 3), (2.6, 8.0), 2.0), abs(local + 2) - 9.0)
    side = np.abs(x) - 10
    across = np.maximum(rounded_box((side - 11, y - canal_y - 2 - 0.35 * side), (12.0, 4.0), 3.0), abs(local - 3) - 5.0)
    bone = union(body, union(ring, pedicle, process, across, rounding_mm=2))
    return np.maximum(bone, -canal), disc, canal


def breast_bone(x: Field, z: float, outside: Field, y: Field) -> Field:
    """Return the distance from the breast bone (body, gap, manubrium)."""
    half_width = 15.5 + 10 * np.clip((z - 178) / 14, 0, 1) - 6 * np.clip((100 - z) / 40, 0, 1)
    flat = rounded_box((x, outside - 7.5 + 0 * x), (float(half_width), 4.6), 2.5)
    level = max(72 - z, z - 205, 1.2 - abs(z - 176))  # tip, notch and the joint between its parts
    return np.where(y < -20, np.maximum(flat, level), FAR)


def collar_bones(x: Field, y: Field, z: float) -> Field:
    """Return the distance from the collar bones."""
    if z < COLLAR[:, 2].min() - 10:
        return np.full(np.broadcast_shapes(x.shape, y.shape), FAR)
    return tube((np.abs(x), y, np.asarray(z)), COLLAR, np.full(len(COLLAR), 5.6))


def shoulder_blades(x: Field, y: Field, z: float) -> Field:
    """Return the distance from the shoulder blades: a thin bent plate with a thick outer border."""
    if z < 84:
        return np.full(np.broadcast_shapes(x.shape, y.shape), FAR)
    share = float(np.clip((z - 84) / 110, 0, 1))
    inner = np.array((92 - 16 * share, 82.0 + 4 * share))
    outer = np.array((100 + 33 * share, 78 - 24 * share))
    bent = (inner + outer) / 2 + np.array((3.0, 3.5)) * share
    flat = (np.abs(x), y)
    plate = tube(flat, [inner, bent, outer], np.array((2.4, 1.7, 3.0)))
    border = np.hypot(flat[0] - outer[0], flat[1] - outer[1]) - 4.5
    return union(plate, border, rounding_mm=2)
