"""The parts of a measurement report: who observed, what was looked at, and a group of measurements for each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.identity import digest
from medimg.measures import diameters
from medimg.reports._dicom import DIGITS, MANUFACTURER, category, concept, device_uid, plain
from medimg.reports._sources import ONE_FRAME, frame_number
from medimg.reports.seg import CATEGORY, segment_numbers, tracking, uids
from medimg.values import Code, Mask
from medimg.values.code import PRIVATE_SCHEME, SCORE_OF_A_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medimg.measures import Diameters
    from medimg.values import Finding, SourceSlice, StudyResult

    Point = tuple[float, float, float]

DETECTION, CODE_LENGTH = "detection_probability", 16
SCORES = {  # concepts that no public scheme has; the code is the score's name, the meaning says what it is and is not
    DETECTION: Code(PRIVATE_SCHEME, "detection", "Detection score: how sure the model is that this is a lesion"),
    "nodule": Code(PRIVATE_SCHEME, "nodule", "Nodule score: how sure the model is that it is a nodule"),
    "suspicion": Code(PRIVATE_SCHEME, "suspicion", "Suspicion as rated by radiologists (not risk of cancer)"),
    "second_opinion": Code(PRIVATE_SCHEME, "second_opinion", "Suspicion as rated by radiologists, by size, density, shape"),
    "texture": Code(PRIVATE_SCHEME, "texture", "Texture as rated by radiologists, 0 glass to 1 solid"),
    "calcification": Code(PRIVATE_SCHEME, "calcification", "Calcification as rated by radiologists, 0 none to 1 solid"),
}
CALIBRATED = Code(PRIVATE_SCHEME, "calibrated", "Score of a model, calibrated")
NOT_CALIBRATED = Code(PRIVATE_SCHEME, "not-calibrated", "Score of a model, not calibrated")
LESION = Code("SCT", "52988006", "Lesion")
ABSENT, UNDETERMINED = Code("SCT", "272519000", "Absent"), Code("SCT", "373068000", "Undetermined")  # CID 240
VOLUME, LONG_AXIS, SHORT_AXIS = (
    Code("SCT", "118565006", "Volume"),
    Code("SCT", "103339001", "Long Axis"),
    Code("SCT", "103340004", "Short Axis"),
)
ATTENUATION = Code("DCM", "112031", "Attenuation Coefficient")
DERIVATIONS = {
    "mean_hu": Code("SCT", "373098007", "Mean"),
    "sd_hu": Code("SCT", "386136009", "Standard Deviation"),
    "min_hu": Code("SCT", "255605001", "Minimum"),
    "max_hu": Code("SCT", "56851009", "Maximum"),
}
MM, MM3, HU, ONE = (
    Code("UCUM", "mm", "millimeter"),
    Code("UCUM", "mm3", "cubic millimeter"),
    Code("UCUM", "[hnsf'U]", "Hounsfield unit"),
    Code("UCUM", "1", "no units"),
)
EVALUATIONS = Code("UMLS", "C0034375", "Qualitative Evaluations")  # TID 1500, row 12
COMMENT = Code("DCM", "121106", "Comment")


def numbers(finding: Finding) -> Iterator[tuple[Code, float, Code, Code | None, Code | None]]:
    """Give what is measured of a finding: concept, value, unit, derivation, and for a score whether it is calibrated."""
    size = finding.measures
    yield VOLUME, size.volume_mm3, MM3, None, None
    yield LONG_AXIS, size.longest_diameter_mm, MM, None, None
    yield SHORT_AXIS, size.short_diameter_mm, MM, None, None
    for name, derivation in DERIVATIONS.items():
        value = getattr(size, name)
        if value is not None:
            yield ATTENUATION, value, HU, derivation, None
    if finding.detection_probability is not None:
        yield SCORES[DETECTION], finding.detection_probability, ONE, None, NOT_CALIBRATED
    for score in finding.scores:
        yield score_concept(score.name), score.value, ONE, None, CALIBRATED if score.calibrated else NOT_CALIBRATED


def score_concept(name: str) -> Code:
    """Return the concept of a score; one of another model gets a code of its own name, or of its hash where that is no code.

    No two scores share a code, and none has that of the detection score, which is no score of a card.
    """
    if name in SCORES and name != DETECTION:
        return SCORES[name]
    is_code = name == plain(name) and 0 < len(name) <= CODE_LENGTH and name != SCORES[DETECTION].value
    code = name if is_code else f"score-{digest(name).hex()[:10]}"
    return Code(PRIVATE_SCHEME, code, f"{SCORE_OF_A_MODEL}{plain(name)}"[:64].strip())


def classes(finding: Finding) -> Iterator[tuple[Code, Code]]:
    """Give the class of each score that is parted into classes: concept of the score, and the class as a code of its own."""
    for score in finding.scores:
        if score.class_name:
            words = plain(score.class_name).lower()
            code = words.replace(" ", "-")
            is_code = 0 < len(code) <= CODE_LENGTH
            code = code if is_code else f"class-{digest(score.class_name).hex()[:10]}"
            yield score_concept(score.name), Code(PRIVATE_SCHEME, code, words.capitalize()[:64])


def observer(result: StudyResult) -> Any:
    """Return who observed: a device, which is this model in this version."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    made_by = result.provenance
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=device_uid(result),
        name=plain(made_by.model),
        manufacturer_name=MANUFACTURER,
        model_name=plain(made_by.model),
        serial_number=plain(f"{made_by.model} {made_by.model_version}")[:64],
    )
    context = hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return hd.sr.ObservationContext(observer_device_context=context)


def image_library(slices: Sequence[SourceSlice]) -> Any:
    """Return the images that were looked at, every instance of the source series once (TID 1600)."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    contains = hd.sr.RelationshipTypeValues.CONTAINS
    library = hd.sr.ContainerContentItem(name=codes.DCM.ImageLibrary, relationship_type=contains)
    group = hd.sr.ContainerContentItem(name=codes.DCM.ImageLibraryGroup, relationship_type=contains)
    group.ContentSequence = hd.sr.ContentSequence(
        hd.sr.ImageContentItem(
            name=codes.SCT.Source,
            referenced_sop_class_uid=class_uid,
            referenced_sop_instance_uid=uid,
            relationship_type=contains,
        )
        for uid, class_uid in dict.fromkeys((source.instance_uid, source.class_uid) for source in slices)
    )
    library.ContentSequence = hd.sr.ContentSequence([group])
    return library


def groups(result: StudyResult, parts: Sequence[str], *, labelmap: bool, has_seg: bool) -> list[Any]:
    """Return the measurement groups of a report: those of each finding, else one that says what was found to be absent."""
    found = []
    for finding in result.findings:
        found.append(_volume_group(result, finding, parts, labelmap=labelmap, has_seg=has_seg))
        found += _line_groups(result, finding, parts)
    return found or [_nothing_found(result, parts)]


def rest(result: StudyResult) -> Any:
    """Return that besides the findings there may be others where the model did not look, None if it looked everywhere.

    It is no measurement group: a validator that knows the report's groups by their regions takes one without for a faulty one.
    """
    import highdicom as hd

    prediction = result.prediction
    assert prediction is not None  # NEEDS has looked
    if not (result.findings and prediction.not_evaluated):
        return None
    contains = hd.sr.RelationshipTypeValues.CONTAINS
    container = hd.sr.ContainerContentItem(name=concept(EVALUATIONS), relationship_type=contains)
    kind = concept(prediction.looked_for or result.findings[0].kind)
    container.ContentSequence = hd.sr.ContentSequence(
        [hd.sr.CodeContentItem(name=kind, value=concept(UNDETERMINED), relationship_type=contains)]
    )
    _comment([container], ["Besides the findings of this report.", *_unseen(result)])
    return container


def _nothing_found(result: StudyResult, parts: Sequence[str]) -> Any:
    """Say Absent where everything was looked at and nothing found; what was not all seen is never said to be absent."""
    import highdicom as hd

    from medimg._tools.identity import uid_from

    prediction = result.prediction
    assert prediction is not None  # the caller has looked
    value = ABSENT if prediction.looked_for is not None and not prediction.not_evaluated else UNDETERMINED
    kind = prediction.looked_for or LESION
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=uid_from(*parts, "statement", value.value), identifier=f"{plain(kind.meaning)}: {value.meaning}"[:64]
        ),
        finding_category=hd.sr.CodedConcept(*CATEGORY),
        finding_type=concept(kind),
        finding_sites=[hd.sr.FindingSite(concept(prediction.looked_in))] if prediction.looked_in else None,
        qualitative_evaluations=[hd.sr.QualitativeEvaluation(name=concept(kind), value=concept(value))],
    )
    words = [] if prediction.looked_for else ["It is not known what was looked for."]
    _comment(group, [*words, *_unseen(result)])
    return group


def _unseen(result: StudyResult) -> list[str]:
    """Return what was not evaluated, in sentences."""
    assert result.prediction is not None  # the caller has looked
    return [f"Not evaluated, {item.what}: {item.reason}" for item in result.prediction.not_evaluated]


def _volume_group(result: StudyResult, finding: Finding, parts: Sequence[str], *, labelmap: bool, has_seg: bool) -> Any:
    import highdicom as hd

    shared = _of_finding(result, finding, parts)
    shared["measurements"] = [_measurement(result, *line) for line in numbers(finding)]
    told = [hd.sr.QualitativeEvaluation(name=concept(name), value=concept(value)) for name, value in classes(finding)]
    shared["qualitative_evaluations"] = told or None
    images = _segmented_images(result, _outlined(result, finding))
    if has_seg and images:
        class_uid, uid = uids(parts, labelmap=labelmap)
        segment = hd.sr.ReferencedSegment(class_uid, uid, segment_numbers(result)[finding.id], source_images=images)
        group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **shared)
    else:  # its outline lies on slices that nobody measured
        group = hd.sr.MeasurementsAndQualitativeEvaluations(**shared)
    side = [f"Side: {finding.laterality.meaning}"] if finding.laterality and not finding.site else []  # no site can carry it
    _comment(group, [*side, *finding.remarks, *(f"{score.name}: {score.meaning}" for score in finding.scores)])
    return group


def _segmented_images(result: StudyResult, slices: Sequence[SourceSlice]) -> list[Any]:
    """Return the images of a segment, each instance once with all of its frames."""
    import highdicom as hd

    instances: dict[tuple[str, str], list[int]] = {}
    for source in slices:
        instances.setdefault((source.class_uid, source.instance_uid), []).extend(_frames(result, source) or ())
    return [hd.sr.SourceImageForSegmentation(*instance, sorted(frames) or None) for instance, frames in instances.items()]


def _line_groups(result: StudyResult, finding: Finding, parts: Sequence[str]) -> list[Any]:
    """Return long and short axis as lines on the slice they were measured in (TID 1410), which viewers draw.

    Where that slice was filled in because nobody measured it, the lines are those of the slice that was, with its own lengths;
    a finding that no measured slice carries has none.
    The long axis carries the tracking UID of its lesion, so that viewers which join groups by it show the lesion's numbers at the
    line; the short axis has one of its own, for they draw one line a tracking UID.
    """
    import highdicom as hd

    from medimg._tools.identity import uid_from

    size = shown_diameters(result, finding)
    if size is None:
        return []
    shared = _of_finding(result, finding, parts)
    name, uid = tracking(result, finding, parts)
    short = hd.sr.TrackingIdentifier(uid=uid_from(uid, "short axis"), identifier=f"{name}, short axis"[:64])
    lines = []
    for code, value, ends, tracked in (
        (LONG_AXIS, size.long_mm, size.long_ends_mm, hd.sr.TrackingIdentifier(uid=uid, identifier=name)),
        (SHORT_AXIS, size.short_mm, size.short_ends_mm, short),
    ):
        region = _line(result, size.slice_index, ends)
        shared |= {"tracking_identifier": tracked, "measurements": [_measurement(result, code, value, MM, None, None)]}
        lines.append(hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **shared))
    return lines


def shown_diameters(result: StudyResult, finding: Finding) -> Diameters | None:
    """Return the diameters of a finding that can be drawn on an image, None if no measured slice carries it."""
    assert result.prediction is not None  # the caller has looked
    mask, origins = result.prediction.mask, result.series.slice_of
    size = diameters(mask, label=finding.id)
    if origins[size.slice_index] is not None:
        return size
    gaps = [index for index, origin in enumerate(origins) if origin is None]
    array = (mask.array == finding.id).astype(np.uint8)
    array[gaps] = 0
    return diameters(Mask(array=array, grid=mask.grid), label=1) if array.any() else None


def _line(result: StudyResult, slice_index: int, ends: tuple[Point, Point]) -> Any:
    """Return a diameter as a line in the pixels of its source slice."""
    import highdicom as hd

    origin = result.series.slice_of[slice_index]
    assert origin is not None  # shown_diameters has looked
    source = result.series.slices[origin]
    frames = _frames(result, source)
    class_uid = source.class_uid if frames else ONE_FRAME  # highdicom knows no private ones
    image = hd.sr.SourceImageForRegion(class_uid, source.instance_uid, frames)
    points = on_image(result, slice_index, np.array(ends))
    region = hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, points, source_image=image)
    region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPClassUID = source.class_uid
    return region


def on_image(result: StudyResult, slice_index: int, points_mm: np.ndarray) -> np.ndarray:
    """Return LPS points as (column, row) of a slice's image, whose first pixel has its corner at 0, 0 (PS3.3 C.18.6.1.2)."""
    assert result.prediction is not None  # the caller has looked
    grid = result.prediction.mask.grid
    index = grid.to_index(points_mm) - (slice_index, 0, 0)
    pixels: np.ndarray = index[:, 2:0:-1] + 0.5
    return pixels.astype(np.float32)


def _of_finding(result: StudyResult, finding: Finding, parts: Sequence[str]) -> dict[str, Any]:
    """Return what all groups of a finding share."""
    import highdicom as hd

    name, uid = tracking(result, finding, parts)
    side = concept(finding.laterality) if finding.laterality else None
    return {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=uid, identifier=name),
        "finding_category": category(finding),
        "finding_type": concept(finding.kind),
        "finding_sites": [hd.sr.FindingSite(concept(finding.site), laterality=side)] if finding.site else None,
    }


def _measurement(
    result: StudyResult, code: Code, value: float, unit: Code, derivation: Code | None, calibration: Code | None
) -> Any:
    import highdicom as hd

    return hd.sr.Measurement(
        concept(code),
        float(f"{value:.{DIGITS}g}"),
        concept(unit),
        derivation=concept(derivation) if derivation else None,
        method=concept(calibration) if calibration else None,
        algorithm_id=_algorithm(result),
    )


def _algorithm(result: StudyResult) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    made_by = result.provenance
    return hd.sr.AlgorithmIdentification(
        name=plain(made_by.model),
        version=plain(made_by.model_version),
        family=None if made_by.outlines else codes.DCM.ArtificialIntelligence,
        parameters=[plain(f"weights_sha256 {name}={value}") for name, value in sorted(made_by.weights_sha256.items())] or None,
    )


def _outlined(result: StudyResult, finding: Finding) -> list[SourceSlice]:
    """Return the measured slices that carry the outline of a finding."""
    assert result.prediction is not None  # the caller has looked
    mask, series = result.prediction.mask, result.series
    box = mask.box(finding.id)
    if box is None:
        return []
    places = range(box[0].start, box[0].stop)
    kept = [index for index in places if bool((mask.array[index][box[1:]] == finding.id).any())]
    return [series.slices[origin] for index in kept if (origin := series.slice_of[index]) is not None]


def _frames(result: StudyResult, source: SourceSlice) -> list[int] | None:
    number = frame_number(source, result.series.slices)
    return None if number is None else [number]


def _comment(group: Any, words: Sequence[str]) -> None:
    """Add sentences to a group."""
    import highdicom as hd

    for sentence in words:
        group[0].ContentSequence.append(
            hd.sr.TextContentItem(
                name=concept(COMMENT), value=plain(sentence), relationship_type=hd.sr.RelationshipTypeValues.CONTAINS
            )
        )
