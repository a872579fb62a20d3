"""`seg.nii.gz`: the outlines on the scan's own grid, where the scan is not DICOM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.writers import write_nifti

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import StudyResult

NEEDS = ("prediction", "is_not_dicom")
FILE = "seg.nii.gz"


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `seg.nii.gz`: 0 for nothing, else the id of the finding, voxel by voxel as the scan. No finding: all zeros."""
    assert result.prediction is not None  # NEEDS has looked
    return (write_nifti(result.prediction.mask, folder / FILE),)
