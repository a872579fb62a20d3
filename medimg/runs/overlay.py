"""Take anyone's mask and the scan it was drawn on, and write what `infer` would write of it: no model takes part."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.identity import digest, short_name
from medimg.errors import OptionError, ScanError
from medimg.runs._given import require_modality, require_writable
from medimg.runs._given_outlines import findings_of, kind_of_lesion, without_patient
from medimg.values import Prediction, Provenance, RunResult, StudyResult
from medimg.values.segment import HOW_MADE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from medimg.values import Mask, Series, Skipped, Study

    Progress = Callable[[str, int, int], None]

NAME = "overlay"
SUMMARY = "Outlines that were given to medimg, placed on the scan and measured; no model took part."
RESEARCH_ONLY = "For research only; not a medical device. medimg measured outlines that others made, and judged nothing."
UNKNOWN_HOW = "SEMIAUTOMATIC"  # claims neither a person's whole work nor a machine's; DICOM has no word for unknown


def overlay(
    mask: str | Path,
    scan: str | Path,
    *,
    output: str | Path | None = None,
    series: str | None = None,
    segments: Sequence[int | str] | None = None,
    segment_names: Mapping[int, str] | None = None,
    kind: str | None = None,
    made_by: str | None = None,
    components: bool = False,
    overlap: str = "refuse",
    threshold: float = 0.5,
    place_by: str = "position",
    cut: bool = False,
    modality: str | None = None,
    identify: bool = False,
    labelmap: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Lay a mask on its scan, measure what it outlines, and write reports and DICOM objects, as `infer` does for a model's.

    The mask may be a DICOM SEG or RTSTRUCT, or labels in NIfTI, NRRD or MHA. It must lie on the scan exactly: every voxel's
    centre on the centre of one of the scan's, to a tenth of a voxel and 0.1 mm (see `medimg.read_mask`). One that does not, or
    that says that it belongs to another patient or frame of reference, is refused with what is off; nothing is resampled. Each
    label becomes one finding without any score. The objects say that the outlines were given, and how they were made.

    Args:
        mask: a file, or a folder that holds one.
        scan: the scan that it was drawn on; in a folder of several the one that the mask names, or that its voxels lie on.
        output: folder for the results; nothing is written without one.
        series: take this series of the scan, by its short name.
        segments: take only these labels, by number or name.
        segment_names: what labels are called, where the mask does not say it or says it otherwise.
        kind: what the outlined things are, where the mask has no code for it: "lesion", "nodule", "mass", "neoplasm", or a code
            as SCHEME:VALUE:MEANING. Without it they are image regions, and nothing is claimed.
        made_by: "manual", "semiautomatic" or "automatic": how the outlines were made, where the mask does not say it. Without it
            they are written as semiautomatic, with a remark that it is not known.
        components: make each connected piece of a label a finding of its own.
        overlap: of segments that claim the same voxels: "refuse", or "smallest".
        threshold: of a fractional DICOM SEG: the share of its maximum from which a voxel is in.
        place_by: of a DICOM SEG: "position", or "source" where its positions are damaged (see `medimg.read_seg`).
        cut: leave out what lies beyond the scan, and say so.
        modality: of a scan that does not say it, e.g. "CT".
        identify: let the report say whose scan it is.
        labelmap: write `seg.dcm` as a LABELMAP segmentation, and `seg_binary.dcm` beside it for a PACS that refuses one.
        progress: is called with (stage, done, total).

    Returns:
        A RunResult of one study.

    Raises:
        ScanError: mask or scan cannot be read, or are of two patients.
        GeometryError: the mask does not lie on the scan.
        OptionError, WriteError: as their names say.
    """
    from medimg.readers import load_series, read_mask
    from medimg.readers import scan as look

    start = time.perf_counter()
    tell = progress or (lambda stage, done, total: None)
    require_modality(modality)
    require_writable(output)
    code = kind_of_lesion(kind)
    how = _how(made_by)
    tell("scan", 0, 1)
    studies, skipped = look(scan)
    study, chosen = _choice(mask, scan, studies, skipped, series)
    seconds = {"scan": time.perf_counter() - start}
    tell("read", 0, 1)
    volume, chosen = load_series(chosen, modality=modality or "")
    drawn = read_mask(mask, scan=chosen, segments=segments, threshold=threshold, overlap=overlap, place_by=place_by, cut=cut)
    if drawn.is_empty:
        raise ScanError(f"{Path(mask).name} outlines nothing: no voxel of it has a label. Give a mask with labels above 0.")
    seconds["read"] = time.perf_counter() - start - seconds["scan"]
    files = (Path(mask), *chosen.files[:1])  # that may name the patient
    how, by, remarks = _provenance_of(drawn, how)
    by = without_patient({0: by}, files).get(0, "")
    prediction = findings_of(
        volume,
        drawn,
        chosen,
        names=segment_names or {},
        kind=code,
        components=components,
        files=files,
        remarks=remarks,
    )
    labels = None if segments is None else list(drawn.present)  # by number: a name can be the patient's
    options = {"components": components, "overlap": overlap, "place_by": place_by, "threshold": threshold, "cut": cut}
    provenance = _provenance(how, by, segments=labels, **options)
    result = StudyResult(
        name=study.name,
        series=chosen,
        provenance=provenance,
        prediction=prediction,
        volume=volume,
        seconds=seconds,
        identify=identify,
        labelmap=labelmap,
    )
    if output is not None:
        result = _written(result, study, Path(output), tell)
    total = {"scan": seconds["scan"], "total": time.perf_counter() - start}
    return RunResult(studies=(replace(result, volume=None),), skipped=skipped, seconds=total)


def _choice(
    mask: str | Path, scan: str | Path, studies: tuple[Study, ...], skipped: tuple[Skipped, ...], series: str | None
) -> tuple[Study, Series]:
    """Return the series that the mask is laid on, and the study it is of."""
    from medimg.readers import nothing_there, source_series

    everything = [item for study in studies for item in study.series]
    shown = Path(scan).name or "this folder"
    if not everything:
        raise nothing_there(shown, everything, skipped)
    if series is None:
        chosen = source_series(mask, studies, shown=shown, skipped=skipped)
    else:
        named = [item for item in everything if item.name == series]
        if not named:
            raise OptionError.unknown("series", series, [item.name for item in everything])
        chosen = named[0]
    return next(study for study in studies if chosen in study.series), chosen


def _how(made_by: str | None) -> str:
    known = [word.lower() for word in HOW_MADE]
    if made_by is not None and made_by not in known:
        raise OptionError.unknown("made_by", made_by, known)
    return (made_by or "").upper()


def _provenance_of(mask: Mask, said: str) -> tuple[str, str, tuple[str, ...]]:
    """Return how the outlines were made, by what, and what is to be said where that is not known."""
    told = {segment.how_made for segment in mask.segments.values()}
    by = ", ".join(sorted({segment.algorithm for segment in mask.segments.values() if segment.algorithm}))
    if said:
        return said, by, ()
    if len(told) == 1 and told != {""}:
        return told.pop(), by, ()
    mixed = sorted(told - {""})
    if mixed and "" not in told:
        return (
            UNKNOWN_HOW,
            by,
            (f"The segments were made in several ways ({', '.join(mixed).lower()}); all are written as semiautomatic.",),
        )
    words = (
        "The mask does not say how its outlines were made; they are written as semiautomatic. "
        "Say it with --made-by HOW (made_by=...)."
    )
    return UNKNOWN_HOW, by, (words,)


def _provenance(how: str, by: str, **options: object) -> Provenance:
    import medimg
    from medimg.runs._provenance import versions

    return Provenance(
        model=NAME,
        model_version=medimg.__version__,
        model_summary=SUMMARY,
        model_licence="no model",
        weights_sha256={},
        medimg_version=medimg.__version__,
        versions=versions("numpy", "scipy", "pydicom", "highdicom"),
        parameters={
            **{name: value for name, value in options.items() if value is not None},
            "made_by": how.lower(),
            "outlined_by": by,
        },
        research_only=RESEARCH_ONLY,
        outlines=how,
    )


def _written(result: StudyResult, study: Study, output: Path, tell: Progress) -> StudyResult:
    """Write the objects into a folder of the study and these very outlines, so that no other result is replaced."""
    from medimg.runs.infer import _write

    assert result.prediction is not None
    mask: Mask = result.prediction.mask
    outlines = short_name("outlines", mask.shape, digest(mask.array.tobytes()), repr([f.to_dict() for f in result.findings]))
    result = _write(result, study, output / f"{study.name}_{outlines}", tell)
    assert result.prediction is not None
    prediction: Prediction = replace(result.prediction, mask=result.prediction.mask.tight())
    return replace(result, prediction=prediction)
