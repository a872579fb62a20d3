"""Run a model over everything that lies in the given folders and files."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.files import whole_folder
from medimg._tools.identity import uid_from
from medimg.engine import load_model
from medimg.errors import MedimgError, OptionError, ScanError, UnsuitableScanError, WriteError
from medimg.readers import load_series, scan
from medimg.runs._choose import choose, require_named
from medimg.runs._given import require_modality, require_writable
from medimg.runs._provenance import provenance
from medimg.values import RunResult, Skipped, StudyResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from medimg.engine import Model
    from medimg.values import Heatmap, Prediction, Provenance, Series, Study, Volume

    Progress = Callable[[str, int, int], None]

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
        progress: is called with (stage, done, total).

    Returns:
        A RunResult; a study that ended badly is in it with its error, the others with their findings.

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

    results: list[StudyResult] = []
    unfit: list[Skipped] = []
    for study in studies:
        choice = choose(loaded.card, study, modality=modality or "", wanted=series, take_all=all_series)
        if not choice.taken:
            unfit.extend(choice.others)
            continue
        many = len(choice.taken) > 1
        for one in choice.taken:
            try:
                result = _run(
                    one, study, loaded, choice.others, modality=modality or "", explain=explain, identify=identify, tell=tell
                )
            except UnsuitableScanError as error:
                unfit.append(Skipped(what=one.name, reason=str(error)))
                continue
            except MedimgError as error:
                result = StudyResult(
                    name=study.name,
                    series=one,
                    provenance=_provenance(loaded, explain),
                    other_series=choice.others,
                    error=str(error),
                    exit_code=error.exit_code,
                )
            if output is not None and not result.error:
                folder = Path(output) / (f"{study.name}_{one.name}" if many else study.name)
                result = _write(result, folder, tell)
            results.append(replace(result, volume=None))
    if not results:
        raise UnsuitableScanError(
            f"{loaded.card.name} was made for none of the {len(unfit)} series found. {unfit[0].what}: {unfit[0].reason} "
            "See them all: medimg inspect."
        )
    seconds = {"scan": scanned - start, "total": time.perf_counter() - start}
    return RunResult(studies=tuple(results), skipped=(*skipped, *unfit), seconds=seconds)


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


def _run(
    series: Series,
    study: Study,
    model: Model,
    others: tuple[Skipped, ...],
    *,
    modality: str,
    explain: str,
    identify: bool,
    tell: Progress,
) -> StudyResult:
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    tell("read", 0, 1)
    volume, series = load_series(series, modality=modality)  # as it was read: files may turn out to be undecodable
    seconds["read"] = time.perf_counter() - start
    prediction = model(volume, progress=tell)
    seconds |= prediction.seconds
    volume = volume.of_modality(model.card.input.modality)  # the model has judged by the voxels, and its remarks say so
    findings = tuple(
        replace(finding, tracking_uid=uid_from(series.series_uid or series.name, finding.tracking_uid))
        for finding in prediction.findings
    )
    prediction = replace(prediction, findings=findings)
    start = time.perf_counter()
    heatmaps = _explain(model, volume, prediction, explain, tell)
    seconds["explain"] = time.perf_counter() - start
    return StudyResult(
        name=study.name,
        series=series,
        provenance=_provenance(model, explain),
        prediction=prediction,
        volume=volume,
        heatmaps=heatmaps,
        other_series=others,
        seconds=seconds,
        identify=identify,
    )


def _explain(model: Model, volume: Volume, prediction: Prediction, method: str, tell: Progress) -> tuple[Heatmap, ...]:
    if method == "none":
        return ()
    from medimg.saliency import explain

    heatmaps = []
    for number, finding in enumerate(prediction.findings):
        tell("explain", number, len(prediction.findings))
        heatmaps.append(explain(model, volume, finding, method=method))
    return tuple(heatmaps)


def _check_method(method: str) -> None:
    from medimg.saliency import methods

    known = ("none", *methods())
    if method not in known:
        raise OptionError.unknown("explain", method, known)


def _provenance(model: Model, explain: str) -> Provenance:
    return provenance(model.card, device=model.device, explain=explain)


def _write(result: StudyResult, folder: Path, tell: Progress) -> StudyResult:
    """Write all objects of a study into `folder`: all of them, or none and what was there before stays."""
    from medimg.reports import write_all

    tell("report", 0, 1)
    start = time.perf_counter()
    _check_ours(folder)
    with whole_folder(folder) as partial:
        files = write_all(replace(result, folder=folder), partial)
    seconds = result.seconds | {"report": time.perf_counter() - start}
    return replace(result, folder=folder, files=tuple(folder / path.relative_to(partial) for path in files), seconds=seconds)


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
