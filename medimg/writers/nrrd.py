"""Write NRRD."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.files import whole_file
from medimg.errors import OptionError
from medimg.writers._pack import packed, write_planes

if TYPE_CHECKING:
    from medimg.values import Mask, Volume

TYPES = {"int16": "short", "uint8": "uchar", "uint16": "ushort", "float32": "float"}


def write_nrrd(image: Volume | Mask, path: str | Path) -> Path:
    """Write a volume or a mask as one NRRD file (attached header, gzip, LPS), voxels and affine as they are. Return the path.

    Numbers of the header are written in full, so the affine comes back bit for bit. The file appears whole or not at all.

    Raises:
        OptionError: the name does not end in .nrrd.
        WriteError: the disk refuses.
    """
    path = Path(path)
    if path.suffix != ".nrrd":
        raise OptionError("path", path.name, "a name that ends in .nrrd")
    columns_first = image.grid.affine[:3, [2, 1, 0]].T
    header = [
        "NRRD0004",
        f"type: {TYPES[image.array.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(size) for size in image.shape[::-1])}",
        f"space directions: {' '.join(_vector(step) for step in columns_first)}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(image.grid.affine[:3, 3])}",
    ]
    with whole_file(path) as partial, partial.open("wb") as raw:
        raw.write("\n".join([*header, "", ""]).encode("ascii"))
        with packed(raw) as stream:
            write_planes(stream, [image.array])
    return path


def _vector(values: object) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"  # type: ignore[attr-defined]
