"""Write balls in air as a folder of nodule cubes."""

from __future__ import annotations

import csv
import lzma

import numpy as np

EDGE = 50


def write_xz(path, array):
    with lzma.open(path, "wb") as file:
        np.save(file, array)


def zigzag(steps):
    code = ((steps.astype(np.int32) << 1) ^ (steps.astype(np.int32) >> 31)) & 0xFFFF
    return np.stack([code & 0xFF, code >> 8]).astype(np.uint8)


def write_cubes(folder, radii, *, row_of):
    """Write a ball of each radius in the middle of its cube; `row_of(number)` gives what its line says beside its place."""
    places = np.stack(np.indices((EDGE,) * 3), axis=-1) - EDGE // 2
    masks = np.stack([np.linalg.norm(places, axis=-1) <= radius for radius in radii])
    noise = np.random.default_rng(0).normal(0, 20, masks.shape)
    hu = (np.round((np.where(masks, 40, -850) + noise) / 8) * 8).astype(np.int16)
    steps = (hu + 1024) // 8
    for axis in (3, 2, 1):
        steps = np.diff(steps, axis=axis, prepend=0)
    folder.mkdir(exist_ok=True)
    write_xz(folder / "cubes_a.npy.xz", zigzag(steps))
    write_xz(folder / "masks_a.npy.xz", np.packbits(masks))
    rows = [
        {
            "nodule_id": f"n{number}",
            "patient_id": f"P{number}",
            "series_uid": f"1.{number}",
            "split": "mine",
            "file": "a",
            "row": number,
            "manufacturer": "MAKER",
            **{f"origin_{axis}": 0 for axis in "xyz"},
            **{f"centroid_{axis}": EDGE // 2 for axis in "xyz"},
            "diameter_mm": 2 * radius,
            "malignant": int(number % 4 > 1),
            "malignancy_mean": 2 + 2 * (number % 4 > 1),
            "calcification_mean": 6,
            "texture_mean": 5,
            **{f"{scale}_mean": 3 for scale in ("spiculation", "lobulation", "margin", "sphericity", "subtlety")},
            **row_of(number),
        }
        for number, radius in enumerate(radii)
    ]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder
