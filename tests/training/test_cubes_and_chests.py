"""The readers of training data give what was written, and refuse what is damaged."""

from __future__ import annotations

import csv
import json
import lzma

import numpy as np
import pytest

from medimg.errors import ScanError
from medimg.evaluation import bootstrap
from medimg.training import Chest, read_chests, read_cubes
from medimg.training.patients import write_patients
from medimg.values import Grid, Volume

EDGE = 12


def zigzag(steps):
    code = ((steps.astype(np.int32) << 1) ^ (steps.astype(np.int32) >> 31)) & 0xFFFF
    return np.stack([code & 0xFF, code >> 8]).astype(np.uint8)


def write_xz(path, array):
    with lzma.open(path, "wb") as file:
        np.save(file, array)


@pytest.fixture
def cubes(tmp_path):
    """Two cubes of one scan, 4 mm apart, as the format stores them, and what they hold."""
    hu = np.random.default_rng(0).integers(-128, 50, (2, EDGE, EDGE, EDGE)).astype(np.int16) * 8
    steps = (hu + 1024) // 8
    for axis in (3, 2, 1):
        steps = np.diff(steps, axis=axis, prepend=0)
    write_xz(tmp_path / "cubes_train_00.npy.xz", zigzag(steps))
    mask = np.zeros(hu.shape, bool)
    mask[:, 5:8, 5:8, 5:8] = True
    write_xz(tmp_path / "masks_train_00.npy.xz", np.packbits(mask))
    rows = []
    for number in range(2):
        origin = {"origin_x": 4.0 * number, "origin_y": 0, "origin_z": 10}
        centroid = {"centroid_x": 4.0 * number + 6, "centroid_y": 6, "centroid_z": 16}
        rows.append(
            {
                "split": "train",
                "file": "train_00",
                "row": number,
                "series_uid": "1.2",
                "patient_id": f"P{number}",
                **origin,
                **centroid,
            }
        )
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path, hu, mask


def test_cubes_are_read_as_they_were_written(cubes):
    folder, hu, mask = cubes
    read = read_cubes(folder, splits=("train",))
    np.testing.assert_array_equal(read.hu, hu)
    np.testing.assert_array_equal(read.mask == 1, mask)
    np.testing.assert_allclose(read.centroids, 6)


def test_a_cube_carries_the_other_nodules_of_its_scan(cubes):
    folder, _, mask = cubes
    read = read_cubes(folder, splits=("train",))
    other = np.zeros((EDGE,) * 3, bool)
    other[:, :, 4:] = mask[1][:, :, :-4]
    np.testing.assert_array_equal(read.mask[0] == 2, other & ~mask[0])


def test_a_split_without_cubes_and_a_damaged_file(cubes):
    folder, _, _ = cubes
    with pytest.raises(ScanError, match="no cubes of split test"):
        read_cubes(folder, splits=("test",))
    (folder / "cubes_train_00.npy.xz").write_bytes(b"not xz")
    with pytest.raises(ScanError, match="not a folder of nodule cubes"):
        read_cubes(folder, splits=("train",))


def test_a_file_name_in_the_table_is_never_a_path(cubes):
    folder, _, _ = cubes
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("train_00", "../train_00"))
    with pytest.raises(ScanError, match="bare word"):
        read_cubes(folder, splits=("train",))


def test_patients_are_listed_once(cubes):
    folder, _, _ = cubes
    grid = Grid.straight((2, 2, 2), spacing_mm=(1, 1, 1))
    scan = Volume(array=np.zeros(grid.shape, np.int16), grid=grid)
    chests = [Chest(name=name, split="train", volume=scan, marks=()) for name in ("P0", "P2")]  # P2 has no cube
    chests.append(Chest(name="second scan", split="train", volume=scan, marks=(), patient="P0"))
    known = read_cubes(folder, splits=("train",))
    write_patients(folder / "patients.csv", known, chests, collection="OURS", licence="ours, not to be given away")
    lines = (folder / "patients.csv").read_text().splitlines()
    assert lines[1:] == [f'OURS,"ours, not to be given away",{patient},train' for patient in ("P0", "P1", "P2")]
    write_patients(folder / "patients.csv", known)
    assert (folder / "patients.csv").read_text().splitlines()[1] == ",,P0,train"  # nobody said whose data these are


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("train_00,1,", "train_00,2,", "cube 2 of train_00, which holds 2"),
        ("centroid_z", "centre_z", "centroid_z"),
        (",P1,", ",P1,,,", "labels.csv"),
    ],
)
def test_a_line_that_fits_no_cube_is_refused(cubes, old, new, words):
    folder, _, _ = cubes
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(ScanError, match=words):
        read_cubes(folder, splits=("train",))


def test_a_rating_that_is_a_word_is_refused(cubes):
    folder, _, _ = cubes
    table = folder / "labels.csv"
    first, *rest = table.read_text().splitlines()
    table.write_text("\n".join([f"{first},malignancy_r1", *(f"{line},high" for line in rest)]))
    with pytest.raises(ScanError, match="column malignancy_r1 holds something that is no number"):
        read_cubes(folder, splits=("train",))


def test_a_file_that_was_cut_off_or_is_of_other_cubes_is_refused(cubes):
    folder, _, mask = cubes
    content = (folder / "cubes_train_00.npy.xz").read_bytes()
    (folder / "cubes_train_00.npy.xz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ScanError, match="not a folder of nodule cubes"):
        read_cubes(folder, splits=("train",))
    (folder / "cubes_train_00.npy.xz").write_bytes(content)
    write_xz(folder / "masks_train_00.npy.xz", np.packbits(mask[:1]))
    with pytest.raises(ScanError, match="their sizes differ"):
        read_cubes(folder, splits=("train",))


def test_chests_are_read_as_they_were_written(tmp_path):
    hu = np.random.default_rng(1).integers(-128, 50, (3, 8, 9)).astype(np.int16) * 8
    steps = (hu + 1024) // 8
    for axis in (2, 1):
        steps = np.diff(steps, axis=axis, prepend=0)
    (tmp_path / "A").mkdir()
    write_xz(tmp_path / "A" / "volume.npy.xz", zigzag(steps))
    info = {
        "name": "A",
        "split": "val",
        "size_zyx": [3, 8, 9],
        "spacing_xyz_mm": [0.5, 0.6, 2.5],
        "origin_xyz_mm": [1, 2, 3],
        "hu_step": 8,
    }
    (tmp_path / "A" / "info.json").write_text(json.dumps(info))
    (tmp_path / "lesions.csv").write_text(
        "scan,kind,x,y,z,diameter_mm\nA,nodule,1.5,2.6,5.5,6.0\nA,small_nodule,1,2,3,\nB,nodule,0,0,0,3\n"
    )
    (chest,) = read_chests(tmp_path)
    np.testing.assert_array_equal(chest.volume.array, hu)
    assert chest.volume.grid.to_mm((1, 1, 1)) == pytest.approx([1.5, 2.6, 5.5])
    assert [(mark.kind, mark.diameter_mm) for mark in chest.marks] == [("nodule", 6.0), ("small_nodule", None)]


def test_an_interval_draws_patients_not_rows():
    """Hundred rows of one patient are one patient: the interval is as wide as with one row each."""
    values = np.array([0.0] * 100 + [1.0] * 100)
    patients = np.array(["a"] * 100 + ["b"] * 100)
    assert bootstrap(lambda rows: values[rows].mean(), patients) == [0.5, 0.0, 1.0]
