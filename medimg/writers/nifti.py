"""Write NIfTI-1."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.files import whole_file
from medimg.errors import GeometryError, OptionError
from medimg.values import Grid, Mask, Volume
from medimg.writers._pack import packed, write_planes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nibabel.nifti1 import Nifti1Header
    from numpy.typing import NDArray

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
REVERSE_AXES = np.eye(4)[[2, 1, 0, 3]]  # NIfTI counts columns first, medimg slices
SCANNER = 1  # xform code: millimetres of the scanner
NOT_GIVEN = 0
QFORM_TOLERANCE_MM = 1e-2  # a quaternion is written only where it says the same as the affine, to float32 rounding
LARGEST_SIDE = 32767  # NIfTI-1 counts voxels in int16
LABEL_INTENT = 1002  # NIFTI_INTENT_LABEL
DTYPES = ("int16", "uint8", "uint16", "float32")


def write_nifti(image: Volume | Mask | NDArray[Any], path: str | Path, *, grid: Grid | None = None) -> Path:
    """Write a volume, a mask, or an array with its `grid` as NIfTI-1; `.nii.gz` is compressed, `.nii` is not. Return the path.

    The voxels are written as they are (int16, uint8, uint16, float32), without scaling. The affine goes from LPS to NIfTI's RAS
    exactly, a sheared one too: it stands in the sform; the qform repeats it only where a quaternion can (straight axes), and is
    left out (code 0) where not. An array may be (slice, row, column) or (channel, slice, row, column); channels become the fourth
    dimension, and the array is then written a slice at a time. The same voxels give the same bytes. The file appears whole or
    not at all.

    Raises:
        OptionError: the name does not end in .nii or .nii.gz.
        GeometryError: the array does not fit the grid, or has more than 32767 voxels along an axis.
        WriteError: the disk refuses.
    """
    blocks, grid, channels = _blocks(image, grid)
    header = nifti_header(grid, blocks[0].dtype, channels=channels, is_label=isinstance(image, Mask))
    return write_nifti_blocks(header, blocks, path)


def write_nifti_blocks(header: Nifti1Header, blocks: Iterable[NDArray[Any]], path: str | Path) -> Path:
    """Write a header and then its channels (slice, row, column) as they come, so that only one is in memory at a time."""
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise OptionError("path", path.name, "a name that ends in .nii.gz or .nii")
    with (
        whole_file(path) as partial,
        partial.open("wb") as raw,
        packed(raw) if path.name.endswith(".gz") else nullcontext(raw) as stream,
    ):
        stream.write(header.binaryblock + bytes(4))  # no extensions
        write_planes(stream, blocks)
    return path


def nifti_header(grid: Grid, dtype: np.dtype[Any] | type, *, channels: int = 0, is_label: bool = False) -> Nifti1Header:
    """Make the header for arrays on `grid`; `channels` of 0 means three dimensions, else they are the fourth."""
    import nibabel

    if max(*grid.shape, channels) > LARGEST_SIDE:
        raise GeometryError(
            f"{grid.describe()} is larger than NIfTI-1 can count (32767 along an axis). Crop or resample it first."
        )
    header = nibabel.Nifti1Header(endianness="<")
    header.set_data_dtype(np.dtype(dtype).newbyteorder("<"))
    header.set_data_shape((*grid.shape[::-1], channels) if channels else grid.shape[::-1])
    affine = RAS_FROM_LPS @ grid.affine @ REVERSE_AXES
    header.set_zooms((*grid.spacing_mm[::-1], 1.0) if channels else grid.spacing_mm[::-1])
    header.set_qform(affine, code=SCANNER, strip_shears=True)  # first: it also sets the zooms and the handedness
    header.set_zooms((*grid.spacing_mm[::-1], 1.0) if channels else grid.spacing_mm[::-1])
    corners = np.array([(*corner, 1.0) for corner in np.ndindex(2, 2, 2)]) * (*(np.array(grid.shape[::-1]) - 1), 1)
    apart = corners @ (header.get_qform() - affine).T
    if not grid.is_straight or np.abs(apart).max() > QFORM_TOLERANCE_MM:
        header.set_qform(None, code=NOT_GIVEN)
    header.set_sform(affine, code=SCANNER)
    header.set_xyzt_units("mm")
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["magic"], header["vox_offset"] = b"n+1", 352
    header["descrip"] = b"medimg"
    if is_label:
        header["intent_code"] = LABEL_INTENT
    return header


def _blocks(image: Volume | Mask | NDArray[Any], grid: Grid | None) -> tuple[list[NDArray[Any]], Grid, int]:
    if isinstance(image, Volume | Mask):
        return [image.array], image.grid, 0
    array = np.asarray(image)
    if grid is None:
        raise OptionError("grid", None, "the Grid of the array, or a Volume or Mask, which has one")
    if array.dtype == bool:
        array = array.view(np.uint8)
    if array.dtype.name not in DTYPES:
        raise OptionError("image", f"an array of {array.dtype}", "int16, uint8, uint16 or float32, which NIfTI readers agree on")
    if array.ndim not in (3, 4) or array.shape[-3:] != grid.shape:
        raise GeometryError(f"An array of {array.shape} does not fit a grid of {grid.shape}. Give the grid of this very array.")
    return (list(array), grid, len(array)) if array.ndim == 4 else ([array], grid, 0)
