"""Lungs of patients: complete, on the right side, with what radiologists marked in them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from medimg import readers
from medimg.preprocessing import has_lungs, lungs, orient, resample
from medimg.values import Grid, Mask, Volume

if TYPE_CHECKING:
    from types import ModuleType

DATA = Path(os.environ.get("MEDIMG_REAL_DATA", ""))
real = pytest.mark.skipif(not os.environ.get("MEDIMG_REAL_DATA"), reason="MEDIMG_REAL_DATA is not set")
pytestmark = real
LEFT, RIGHT = 1, 2
WHOLE = ("LIDC-IDRI-0002", "LIDC-IDRI-0003", "LIDC-IDRI-0006", "LIDC-IDRI-0013")


@pytest.fixture(scope="module")
def whole_chest() -> ModuleType:
    """The loader that lies beside the scans."""
    spec = importlib.util.spec_from_file_location("whole_chest", DATA / "whole_chest" / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scan_of(whole_chest: ModuleType, name: str) -> Volume:
    hu, info = whole_chest.scan(name)
    grid = Grid.straight(hu.shape, spacing_mm=info["spacing_xyz_mm"][::-1], origin_mm=info["origin_xyz_mm"])
    return Volume(array=hu, grid=grid, modality="CT", unit="HU")


def as_ct(path: Path) -> Volume:
    """A CT in a format that does not say so."""
    found = readers.read_all(path)[0]
    return Volume(array=found.array, grid=found.grid, modality="CT", unit="HU")


def share_of_ball(mask: Mask, centre_mm: tuple[float, float, float], diameter_mm: float, label: int) -> float:
    """How much of a ball the label holds."""
    away = np.linalg.norm(mask.grid.to_mm(np.moveaxis(np.indices(mask.shape, sparse=False), 0, -1)) - centre_mm, axis=-1)
    return float(mask.of(label)[away <= diameter_mm / 2].mean())


@pytest.mark.parametrize("name", WHOLE)
def test_every_target_nodule_is_in_the_lung_of_its_side(whole_chest: ModuleType, name: str) -> None:
    mask = lungs(scan_of(whole_chest, name))
    for label in (LEFT, RIGHT):
        assert 1.5 < mask.of(label).sum() * mask.grid.voxel_volume_mm3 / 1e6 < 4.5  # litres of an adult who breathes in
    for lesion in whole_chest.lesions(name):
        if lesion["kind"] == "nodule":
            centre = np.array((lesion["x"], lesion["y"], lesion["z"]))
            start = np.maximum(np.rint(mask.grid.to_index(centre)).astype(int) - 30, 0)
            stop = np.minimum(start + 60, mask.shape)
            part = Mask(array=mask.array[tuple(map(slice, start, stop))], grid=mask.grid.crop(start, stop - start))
            side = LEFT if lesion["x"] > 0 else RIGHT  # these four lie in the middle of the scanner
            assert share_of_ball(part, tuple(centre), lesion["diameter_mm"], side) > 0.99


def test_a_slab_of_ten_slices_holds_its_nodule_in_the_left_lung() -> None:
    volume = readers.read_all(DATA / "lidc_dicom" / "LIDC-IDRI-0003" / "ct")[0]
    mask = lungs(volume)
    assert share_of_ball(mask, (70.9, 76.6, -191.7), 20.0, LEFT) > 0.99
    assert has_lungs(mask)[0]


def test_the_lungs_are_those_that_were_drawn_by_hand_but_for_the_tumour() -> None:
    volume = readers.read(DATA / "chest_ct" / "LUNG1-001" / "ct")
    drawn = resample(readers_mask(DATA / "chest_ct" / "LUNG1-001" / "labels.nii.gz"), like=volume.grid)
    mask = lungs(volume)
    for label, name in ((LEFT, 2), (RIGHT, 3)):
        found, truth = mask.of(label), drawn.of(name)
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.94


def readers_mask(path: Path) -> Mask:
    volume = readers.read(path)
    return Mask(array=volume.array.astype(np.uint8), grid=Grid(volume.shape, volume.grid.affine))


@pytest.mark.parametrize(
    ("name", "label"), [("radiomics_phantom_1", RIGHT), ("radiomics_phantom_2", RIGHT), ("radiomics_phantom_3", LEFT)]
)
def test_a_crop_with_a_single_lung_knows_which_it_is(name: str, label: int) -> None:
    mask = lungs(readers.read(DATA / "chest_ct" / name / "ct"))
    of_side, of_other = mask.of(label).sum(), mask.of(LEFT + RIGHT - label).sum()
    assert of_side * mask.grid.voxel_volume_mm3 > 0.5e6
    assert of_other < 0.02 * of_side


def test_a_single_right_lung_of_large_voxels_is_right() -> None:
    mask = lungs(as_ct(DATA / "other_anatomy" / "lung_ct_lowres.mha"))
    assert mask.of(RIGHT).sum() * mask.grid.voxel_volume_mm3 > 2e6
    assert not mask.of(LEFT).any()


def test_a_ct_of_the_abdomen_shows_no_lungs_though_their_bases_and_bowel_gas_are_in_view() -> None:
    volume = as_ct(DATA / "other_anatomy" / "abdomen_pelvis_ct.nii.gz")
    mask = lungs(volume)
    assert not has_lungs(mask)[0]
    up = orient(mask)
    assert not up.array[: up.shape[0] * 3 // 4].any()  # nothing below the top of the abdomen


def test_a_leg_shows_no_lungs() -> None:
    assert lungs(as_ct(DATA / "other_anatomy" / "sts002_ct_image.nii.gz")).is_empty
