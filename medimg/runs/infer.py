"""Run a model over everything that lies in the given folders and files."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.files import whole_folder
from medimg.engine import load_model
from medimg.errors import MedimgError, OptionError, ScanError, UnsuitableScanError, WriteError
from medimg.readers import scan
from medimg.runs._choose import NOT_ASKED_FOR, choose, require_named
from medimg.runs._given import require_modality, require_writable
from medimg.runs._nameless import nameless
from medimg.runs._study import Order, run_series
from medimg.values import RunResult, Skipped, StudyResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from medimg.values import Proof, Series, Study

    Progress = Callable[[str, int, int], None]

BUG = MedimgError.exit_code
RESULT_FILE = "run.json"  # a folder that holds one of ours may be replaced


def infer(
    *paths: str | Path,
    output: str | Path | None = None,
    model: str | Path = "lung-nodule",
    modality: str | None = None,
    device: str = "auto",
    explain: str = "gradcam",
    series: str | None = None,
    all_series: bool = False,
    identify: bool = False,
    labelmap: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Find, outline, score and explain lesions in every study below `paths`, and write the results.

    Args:
        paths: files and folders: DICOM in any arrangement, NIfTI, NRRD, MHA.
        output: folder for the results, one folder a study; nothing is written without one.
        model: a packaged model's name or a model's folder.
        modality: of a scan that does not say it (NIfTI and the like), e.g. "CT".
        device: "auto", "cpu", "cuda", "mps".
        explain: a saliency method, or "none".
        series: read only the series of this short name or series number.
        all_series: read every series that fits, not one of each acquisition.
        identify: let the report say whose scan it is.
        labelmap: write `seg.dcm` as a LABELMAP segmentation, and `seg_binary.dcm` beside it for a PACS that refuses one.
        progress: is called with (stage, done, total).

    Returns:
        A RunResult; a study that ended badly is in it with its error, the others with their findings. Where results were written,
        masks are cut to the box of the findings and heatmaps are left out: `seg` and `heatmap.nii.gz` have them whole.

    Raises:
        ScanError: nothing there can be read as a scan.
        UnsuitableScanError: scans were read, and the model was made for none of them.
        OptionError, ModelError, WriteError: as their names say.
    """
    start = time.perf_counter()
    tell = progress or (lambda stage, done, total: None)
    if not paths:
        raise OptionError("paths", "empty", "a scan: a file or a folder")
    _check_method(explain)
    require_modality(modality)
    require_writable(output)
    loaded = load_model(model, device=device)
    tell("scan", 0, 1)
    studies, skipped = scan(*paths)
    if not studies:
        raise nothing_found(paths, skipped)
    if series is not None:
        require_named(studies, series)
    scanned = time.perf_counter()

    order = Order(
        model=loaded,
        modality=modality or "",
        explain=explain,
        series=series or "",
        all_series=all_series,
        identify=identify,
        labelmap=labelmap,
        tell=tell,
    )
    results: list[StudyResult] = []
    unfit: list[Skipped] = []
    for study in studies:
        choice = choose(loaded.card, study, modality=order.modality, wanted=series, take_all=all_series)
        refused: list[Skipped] = []  # after a look at the voxels
        alone = len(studies) == len(choice.taken) == 1
        by_name = len(choice.taken) > 1 or all_series or series is not None
        for one in choice.taken:
            folder = Path(output) / (f"{study.name}_{one.name}" if by_name else study.name) if output is not None else None
            try:
                results.append(_one(order, study, one, (*choice.others, *refused), folder, alone=alone))
            except UnsuitableScanError as error:
                refused.append(Skipped(what=one.name, reason=str(error)))
        unfit.extend(refused)
        if len(refused) == len(choice.taken):
            unfit.extend(choice.others)
    if not results:
        raise _made_for_none(loaded.card.name, unfit)
    seconds = {"scan": scanned - start, "total": time.perf_counter() - start}
    return RunResult(studies=tuple(results), skipped=(*skipped, *unfit), seconds=seconds)


def _one(
    order: Order, study: Study, series: Series, others: tuple[Skipped, ...], folder: Path | None, *, alone: bool
) -> StudyResult:
    """Run one series and write its results; what goes wrong is in the result, so that other studies go on.

    Raises:
        UnsuitableScanError: the voxels are not what the model was made for.
        Exception: a fault of medimg, if there is no other study that it could spoil.
    """
    words, code = "", 0
    try:
        result = run_series(order, study, series, others)
        if folder is not None:
            result = _write(result, study, folder, order.tell)
    except UnsuitableScanError:
        raise
    except MedimgError as error:
        words, code = str(error), error.exit_code
    except Exception as error:
        if alone:
            raise
        # the text of a foreign error may quote the file, and so a patient: only its kind is told
        words, code = f"medimg itself failed ({type(error).__name__}). Run this study alone with --debug, and report it.", BUG
    if words:
        made = order.provenance()
        return StudyResult(name=study.name, series=series, provenance=made, other_series=others, error=words, exit_code=code)
    if folder is not None and result.prediction is not None:  # it is on disk: hundreds of studies must fit in memory
        result = replace(result, prediction=replace(result.prediction, mask=result.prediction.mask.tight()), heatmaps=())
    return replace(result, volume=None)


def _made_for_none(model: str, unfit: list[Skipped]) -> UnsuitableScanError:
    """Make the error for scans that do not fit; of a named series it says why that one does not."""
    told = next((item for item in unfit if not item.reason.startswith(NOT_ASKED_FOR)), unfit[0])
    return UnsuitableScanError(
        f"{model} was made for none of the {len(unfit)} series found. {told.what}: {told.reason} See them all: medimg inspect."
    )


def nothing_found(paths: tuple[str | Path, ...], skipped: tuple[Skipped, ...]) -> ScanError:
    """Make the error for paths that hold no scan; it names what was there."""
    names = ", ".join(Path(path).name or str(path) for path in paths)
    missing = [Path(path).name for path in paths if not Path(path).exists()]
    if missing:
        return ScanError(f"{missing[0]} does not exist. Give the path of a scan: a file or a folder.")
    if not skipped:
        return ScanError(f"{names} holds no files. Give a folder with a DICOM series, or a NIfTI, NRRD or MHA file.")
    return ScanError(
        f"{names} holds no scan that can be read ({skipped[0].what}: {skipped[0].reason}). "
        "Give a folder with a DICOM series, or a NIfTI, NRRD or MHA file."
    )


def _check_method(method: str) -> None:
    from medimg.saliency import methods

    known = ("none", *methods())
    if method not in known:
        raise OptionError.unknown("explain", method, known)


def _write(result: StudyResult, study: Study, folder: Path, tell: Progress) -> StudyResult:
    """Write all objects of a study into `folder`: all of them, or none and what was there before stays."""
    from medimg.reports import write_all
    from medimg.runs._proof import prove

    tell("report", 0, 1)
    start = time.perf_counter()
    _check_ours(folder)
    proofs: list[Proof] = []

    def proven(written: StudyResult, files: tuple[Path, ...]) -> tuple[Proof, ...]:
        proofs.extend(prove(written, files))
        return tuple(proofs)

    with whole_folder(folder) as partial:
        files = write_all(nameless(replace(result, folder=folder), study), partial, prove=proven)
    seconds = result.seconds | {"report": time.perf_counter() - start}
    written = tuple(folder / path.relative_to(partial) for path in files)
    return replace(result, folder=folder, files=written, seconds=seconds, proof=tuple(proofs))


def _check_ours(folder: Path) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        schema = str(json.loads((folder / RESULT_FILE).read_text(encoding="utf-8")).get("schema", ""))
    except (OSError, ValueError, AttributeError):
        schema = ""
    if not schema.startswith("medimg."):
        raise WriteError(
            f"{folder.name} exists and is not a result of medimg, so it is not replaced. Give another --output, or move it away."
        )
