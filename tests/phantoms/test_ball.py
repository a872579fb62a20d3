"""The ball has the volume and the place that geometry says."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import OptionError
from medimg.phantoms import ball


def share_of(scan, *, inside_hu=40.0, outside_hu=-850.0):
    return (scan.array.astype(np.float64) - outside_hu) / (inside_hu - outside_hu)


@pytest.mark.parametrize(
    ("radius_mm", "spacing_mm"),
    [(6, (1, 1, 1)), (1, (1, 1, 1)), (1.5, (1, 1, 1)), (4.3, (2.5, 0.7, 0.7)), (5, (2, 2, 2)), (12, (0.6, 1.4, 0.9))],
)
def test_volume_is_that_of_a_sphere(radius_mm, spacing_mm):
    scan = ball(radius_mm=radius_mm, spacing_mm=spacing_mm)
    volume = share_of(scan).sum() * scan.grid.voxel_volume_mm3
    assert volume == pytest.approx(4 / 3 * np.pi * radius_mm**3, rel=0.01)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (2.5, 0.7, 0.8)])
def test_it_lies_where_it_was_put(spacing_mm):
    center = (-31.25, 48.5, -207.1)
    scan = ball(radius_mm=5, spacing_mm=spacing_mm, center_mm=center)
    share = share_of(scan)
    middle = np.array([(share * axis).sum() for axis in np.indices(share.shape)]) / share.sum()
    assert scan.grid.to_mm(middle) == pytest.approx(center, abs=1e-3)


def test_values_and_room_are_as_asked():
    scan = ball(radius_mm=5, margin_mm=11, inside_hu=-600, outside_hu=-900)
    assert (scan.array.max(), scan.array.min()) == (-600, -900)
    assert min(scan.grid.size_mm) >= 2 * (5 + 11)
    assert (scan.modality, scan.unit, scan.history) == ("CT", "HU", ())


@pytest.mark.parametrize(
    "options",
    [{"radius_mm": 0}, {"radius_mm": float("nan")}, {"radius_mm": 3, "spacing_mm": (1, 1, 0)}, {"radius_mm": 3, "margin_mm": -1}],
)
def test_what_cannot_be_is_refused(options):
    with pytest.raises(OptionError):
        ball(**options)
