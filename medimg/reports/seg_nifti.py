"""`seg.nii.gz`: the outlines on the scan's own grid, where they cannot be a DICOM SEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.writers import write_nifti

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import StudyResult

NEEDS = ("prediction", "has_no_dicom_frame")
FILE = "seg.nii.gz"


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `seg.nii.gz`: 0 for nothing, else the id of the finding, voxel by voxel as the scan. No finding: all zeros."""
    assert result.prediction is not None  # NEEDS has looked
    return (write_nifti(result.prediction.mask, folder / FILE),)
