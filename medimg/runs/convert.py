"""Turn scans into NIfTI or NRRD files, each with a sidecar that says what it is and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg._tools.files import write_error
from medimg.errors import ManyVolumesError, OptionError, ScanError
from medimg.values import Skipped

if TYPE_CHECKING:
    from medimg.values import Series

ENDINGS = (".nii.gz", ".nii", ".nrrd")
SCHEMA = "medimg.conversion/1"  # changes with every change of meaning; documented in docs/commands.md


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What `convert` wrote, and what it left out and why."""

    files: tuple[Path, ...]
    series: tuple[Series, ...]
    skipped: tuple[Skipped, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "schema": SCHEMA,
            "files": [str(file) for file in self.files],
            "series": [series.to_dict() for series in self.series],
            "skipped": [item.to_dict() for item in self.skipped],
        }


def convert(scan: str | Path, output: str | Path, *, series: str | None = None, identify: bool = False) -> Conversion:
    """Write the volumes that lie in a file or folder as NIfTI or NRRD, with a JSON sidecar beside each.

    An `output` that ends in .nii.gz, .nii or .nrrd is one file, for one volume. Any other is a folder, which gets a .nii.gz a
    volume, named by the volume's short name. The voxels are those of `medimg.read`, their place is exact (sheared grids too), and
    the sidecar has the header's words under the names that BIDS gives them, with the verdict and every hazard under `medimg`.

    Args:
        scan: a DICOM folder or file, or a NIfTI, NRRD or MHA file.
        output: a file or a folder.
        series: the short name of one of several (`medimg inspect` shows them).
        identify: let the sidecar say whose scan it is: name, ID, dates, UIDs and free text.

    Raises:
        ManyVolumesError: one file was asked for and there are several volumes; the message names them.
        ScanError: nothing there can be read.
        WriteError: the disk refuses; the file in question is then as it was before.
    """
    from medimg.readers import load_series, nothing_there, refusal
    from medimg.readers import scan as look
    from medimg.runs._sidecar import sidecar

    scan, output = Path(scan), Path(output)
    ending = next((one for one in ENDINGS if output.name.endswith(one)), "")
    if not ending and output.suffix and not output.is_dir():
        raise OptionError("output", output.name, f"a name that ends in {', '.join(ENDINGS)}, or a folder")
    studies, ignored = look(scan)
    everything = [item for study in studies for item in study.series]
    chosen = [item for item in everything if item.is_readable and series in (None, item.name)]
    shown = scan.name or "this folder"
    if series is not None and not any(item.name == series for item in everything):
        raise ScanError(
            f"{shown} holds no series {series}. Name one of: {', '.join(item.name for item in everything) or 'none'}."
        )
    if not chosen:
        raise nothing_there(shown, [item for item in everything if series in (None, item.name)], ignored)
    if ending and len(chosen) > 1:
        choices = "; ".join(item.describe() for item in chosen)
        raise ManyVolumesError(
            f"{shown} holds {len(chosen)} volumes. Name one with --series NAME (series=...), or give a folder: {choices}."
        )
    left = [Skipped(what=item.name, reason=refusal(item)) for item in everything if not item.is_readable and series is None]
    if any(output.absolute() == file.absolute() for item in everything for file in item.files):
        raise OptionError("output", output.name, "another name: that file is the scan itself")
    _make_folder(output.parent if ending else output)
    files: list[Path] = []
    read: list[Series] = []
    for item in chosen:
        try:
            volume, seen = load_series(item)
        except ScanError as error:
            if ending:
                raise
            left.append(Skipped(what=item.name, reason=str(error)))
            continue
        target = output if ending else output / f"{item.name}.nii.gz"
        files += [_write(volume, target), sidecar(seen, volume, _beside(target), identify=identify)]
        read.append(seen)
    if not files:
        raise ScanError(f"{shown} holds no volume that can be read ({'; '.join(item.reason for item in left)}).")
    return Conversion(files=tuple(files), series=tuple(read), skipped=(*left, *ignored))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def _write(volume: Any, path: Path) -> Path:
    from medimg.writers import write_nifti, write_nrrd

    return write_nrrd(volume, path) if path.suffix == ".nrrd" else write_nifti(volume, path)


def _beside(path: Path) -> Path:
    ending = next(one for one in ENDINGS if path.name.endswith(one))
    return path.with_name(path.name.removesuffix(ending) + ".json")
