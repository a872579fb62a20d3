"""Every DICOM object is legal by others' judgement, on every kind of source, and says by others' reading what was found."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from medimg.reports import write_all
from medimg.runs._proof import prove
from medimg.values import Mask, Skipped
from tests.builders.dicom_checks import dcentvfy, dciodvfy, in_order, pixelmed, tool
from tests.builders.sources import CASES, FAULTY, PLACED_BY_DCMQI
from tests.builders.study import ENHANCED_CT, LUNG, study_result

PRIVATE = "Unrecognized defined term = <99MEDIMG>"
NO_SEGMENT = "Shall not be present for Referenced SOP Class that is not segmentation"
# dcentvfy thinks that Accession Number belongs to the series of an SR; PS3.3 has it in General Study, so does every object here
ACCESSION = (
    "Warning - Different information entities for attribute - Element=<AccessionNumber> "
    "IE <Study> versus <Series> for file <sr.dcm> versus <{other}>"
)
NOT_IN_DICOMDIR = "Missing attribute or value that would be needed to build DICOMDIR"
OF_THE_SOURCE = {  # exact texts that a fault of the source's own leaves: a name stays what it is, and nobody invents an identity
    "name of one component": [
        "Warning - </PatientName(0010,0010)[1]> - Value dubious for this VR [PN] = <ANON> - Retired Person Name form"
    ],
    "no patient at all": [
        f"Warning - </{attribute}> - {NOT_IN_DICOMDIR}"
        for attribute in ("PatientID(0010,0020)", "StudyID(0020,0010)", "StudyTime(0008,0030)")
    ],
    "old form of a date": [f"Warning - </StudyDate(0008,0020)> - {NOT_IN_DICOMDIR}"],
}
GROUP = (
    '/CONTAINER (126000,DCM,"Imaging Measurement Report")/CONTAINER (126010,DCM,"Imaging Measurements")'
    '/CONTAINER (125007,DCM,"Measurement Group")'
)
IN_PIXELMED = {  # exact text after the item's place in the tree: why it is no fault of ours
    f'{GROUP}/CODE (276214006,SCT,"Finding category"): Content Item not in template': "its templates are of 2022",
    f'{GROUP}/TEXT (121106,DCM,"Comment"): Content Item not in template': "TID 1500 is extensible, a comment is no new meaning",
    f'{GROUP}/CODE (27925004,SCT,"Nodule"): Content Item not in template': "a free qualitative evaluation, as TID 1501 has them",
    f'{GROUP}/IMAGE (121233,DCM,"Source Image for Segmentation"): Code (121233,DCM,"Source Image for Segmentation") '
    'has different code meaning ("Source Image for Segmentation") than code meaning in template concept name '
    '("Source image for segmentation")': "letters of a meaning, written as PS3.16 has them today",
}


@pytest.fixture(
    scope="module", params=[*CASES, "LABELMAP", "not all seen", "part unknown", *FAULTY], ids=lambda name: name.replace(" ", "-")
)
def case(request, tmp_path_factory):
    """A name, a result, and the DICOM files written for it."""
    folder, name = tmp_path_factory.mktemp("objects"), request.param
    options = FAULTY[name][0] if name in FAULTY else CASES.get(name, {})
    if name == "part unknown":
        options = {"leave_out": ("BodyPartExamined",)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of faults as they are made
        result = replace(study_result(folder / "source", **options), labelmap=name == "LABELMAP")
    if name == "not all seen":
        unseen = (Skipped(what="between slices", reason="2 slices were not measured."),)
        result = replace(result, prediction=replace(result.prediction, not_evaluated=unseen))
    if name == "part unknown":
        findings = tuple(replace(finding, site=None, laterality=None) for finding in result.findings)
        result = replace(result, prediction=replace(result.prediction, findings=findings, looked_in=None))
    (folder / "out").mkdir()
    files = write_all(result, folder / "out", prove=prove)
    return name, result, [path for path in files if path.suffix == ".dcm"]


def test_the_validator_finds_no_fault_in_any_object(case):
    name, _, files = case
    assert {path.name for path in files} >= {"seg.dcm", "sr.dcm", "key_1.dcm", "key_2.dcm"}
    for path in files:
        complaints = dciodvfy(path)
        if complaints is None:
            pytest.skip("dciodvfy (dicom3tools) is not installed")
        allowed = [*expected_of_private_codes(path), *OF_THE_SOURCE.get(name, ())]
        assert Counter(complaints) == Counter(allowed), path.name


def expected_of_private_codes(path):
    """Return what dciodvfy must say: it knows no private coding scheme, and no segments of a LABELMAP.

    PS3.16 section 8 has private schemes begin with 99, and the object identifies ours as PS3.3 C.12.1.1.8 wants it; PS3.3
    C.8.33.8 has Referenced Segment Number for Label Map Segmentations, too. One line for each place, no more and no less.
    """
    import pydicom

    dataset, found = pydicom.dcmread(path), []

    def look(items, place):
        for element in items:
            here = f"{place}/{element.keyword}({element.tag.group:04x},{element.tag.element:04x})"
            if element.VR == "SQ":
                for number, item in enumerate(element.value, 1):
                    look(item, f"{here}[{number}]")
            elif element.keyword == "CodingSchemeDesignator" and element.value == "99MEDIMG":
                found.append(f"Warning - <{here}[1]> - {PRIVATE}")
            elif element.keyword == "ReferencedSegmentNumber" and items.get("ReferencedSOPClassUID", "").endswith(".66.7"):
                found.append(f"Error - <{here}> - {NO_SEGMENT}")

    look(dataset, "")
    return found


def test_objects_and_source_agree_on_patient_and_study(case):
    name, result, files = case
    complaints = dcentvfy([*result.series.files, *(path for path in files if "binary" not in path.name)])
    if complaints is None:
        pytest.skip("dcentvfy (dicom3tools) is not installed")
    assert [line for line in complaints if line.startswith("Error")] == []
    if name not in ("poor source", *(faulty for faulty, (_, named) in FAULTY.items() if named)):
        assert [line for line in complaints if line not in {ACCESSION.format(other=path.name) for path in files}] == []
    # a source without an attribute that every object must have, or with an illegal value, differs from ours in it: a warning


def test_faults_of_the_source_are_named_and_nobody_is(case):
    name, _, files = case
    run = json.loads((files[0].parent / "run.json").read_text(encoding="utf-8"))
    named = FAULTY[name][1] if name in FAULTY else ()
    faults = run["source_faults"]
    assert [keyword for keyword in named if not any(keyword in fault for fault in faults)] == []
    if name in ("axial", "Latin-1 name", "Japanese name"):
        assert faults == []
    assert not [word for word in ("Mustermann", "Jörg", "PID4711", "ANON", "19501301", "Tarou") if word in " ".join(faults)]


def test_each_object_is_proven_before_it_counts(case):
    name, result, files = case
    run = json.loads((files[0].parent / "run.json").read_text(encoding="utf-8"))
    proofs = {proof["file"]: proof for proof in run["proof"]}
    assert set(proofs) == {path.name for path in files if not path.name.startswith("key")}
    measured = [index for index, origin in enumerate(result.series.slice_of) if origin is not None]
    assert proofs["seg.dcm"]["voxels"] == np.count_nonzero(result.prediction.mask.array[measured]), name
    assert all(proof["agrees"] and proof["largest_distance_mm"] < 0.01 for proof in proofs.values())
    assert proofs["sr.dcm"]["numbers"] == 22  # nine measures and scores, and two lines, of two findings


@pytest.mark.parametrize("labelmap", [False, True], ids=["BINARY", "LABELMAP"])
@pytest.mark.parametrize("name", PLACED_BY_DCMQI, ids=lambda name: name.replace(" ", "-"))
def test_dcmqi_reads_every_voxel_where_it_was_outlined(tmp_path, name, labelmap):
    if not tool("segimage2itkimage"):
        pytest.skip("dcmqi is not installed")
    import SimpleITK as sitk

    result = replace(study_result(tmp_path / "source", heat=False, **CASES[name]), labelmap=labelmap)
    write_all(result, tmp_path)
    said = subprocess.run(
        [tool("segimage2itkimage"), "--inputDICOM", tmp_path / "seg.dcm", "--outputDirectory", tmp_path, "-t", "nrrd"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found = {}
    for path in tmp_path.glob("*.nrrd"):
        image = sitk.ReadImage(path)
        array = sitk.GetArrayFromImage(image)
        for number in np.unique(array[array > 0]):
            places = np.argwhere(array == number)[:, ::-1].tolist()
            points = np.array([image.TransformIndexToPhysicalPoint(place) for place in places])
            found[int(number)] = points
    mask = result.prediction.mask
    for finding in result.findings:
        expected = mask.grid.to_mm(np.argwhere(mask.of(finding.id)))
        assert len(found[finding.id]) == len(expected)
        assert np.abs(in_order(found[finding.id]) - in_order(expected)).max() < 0.02


@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
def test_highdicom_reads_a_labelmap_back(tmp_path, name):
    import highdicom as hd

    result = replace(study_result(tmp_path / "source", heat=False, **CASES[name]), labelmap=True)
    write_all(result, tmp_path)
    segmentation, series, mask = hd.seg.segread(tmp_path / "seg.dcm"), result.series, result.prediction.mask
    options = {"ignore_spatial_locations": True, "assert_missing_frames_are_empty": True, "combine_segments": True}
    if series.slices[0].class_uid == ENHANCED_CT:
        frames = [source.frame + 1 for source in series.slices]
        array = segmentation.get_pixels_by_source_frame(series.slices[0].instance_uid, frames, **options)
    else:
        array = segmentation.get_pixels_by_source_instance([source.instance_uid for source in series.slices], **options)
    assert np.array_equal(array, mask.array[[index for index, origin in enumerate(series.slice_of) if origin is not None]])


@pytest.mark.parametrize("name", ["axial", "oblique", "enhanced multi-frame"], ids=lambda name: name.replace(" ", "-"))
def test_dcmqi_reads_the_same_numbers(tmp_path, name):
    if not tool("tid1500reader"):
        pytest.skip("dcmqi is not installed")
    result = study_result(tmp_path / "source", heat=False, **CASES[name])
    write_all(result, tmp_path)
    command = [tool("tid1500reader"), "--inputDICOM", tmp_path / "sr.dcm", "--outputMetadata", tmp_path / "sr.json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    read = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    groups = [group for group in read if "ReferencedSegment" in group]
    for number, (group, finding) in enumerate(zip(groups, result.findings, strict=True), 1):
        assert (group["ReferencedSegment"], group["TrackingUniqueIdentifier"]) == (number, finding.tracking_uid)
        assert (group["Finding"]["CodeValue"], group["FindingSite"]["CodeValue"]) == (finding.kind.value, LUNG.value)
        assert group["Laterality"]["CodeMeaning"] == "Left"
        numbers = {}
        for item in group["measurementItems"]:
            derived = item.get("derivationModifier", {}).get("CodeMeaning", "")
            numbers[item["quantity"]["CodeValue"], derived] = float(item["value"]), item["units"]["CodeValue"]
        size = finding.measures
        expected = {
            ("118565006", ""): (size.volume_mm3, "mm3"),
            ("103339001", ""): (size.longest_diameter_mm, "mm"),
            ("103340004", ""): (size.short_diameter_mm, "mm"),
            ("112031", "Mean"): (size.mean_hu, "[hnsf'U]"),
            ("112031", "Standard Deviation"): (size.sd_hu, "[hnsf'U]"),
            ("112031", "Minimum"): (size.min_hu, "[hnsf'U]"),
            ("112031", "Maximum"): (size.max_hu, "[hnsf'U]"),
            ("detection", ""): (finding.detection_probability, "1"),
            ("suspicion", ""): (finding.score("suspicion"), "1"),
        }
        assert set(numbers) == set(expected)
        for key, (value, unit) in expected.items():
            assert numbers[key] == (pytest.approx(value, rel=1e-8), unit)


IN_CI = ["not all seen", "nothing found"]  # PixelMed takes 20 s a report
REPORTS = [*CASES, "nothing found", "not all seen", "neither"] if os.environ.get("MEDIMG_CONFORMANCE") == "all" else IN_CI


@pytest.mark.parametrize("name", REPORTS, ids=lambda name: name.replace(" ", "-"))
def test_pixelmed_finds_no_error_in_a_report(tmp_path, name):
    result = study_result(tmp_path / "source", heat=False, **CASES.get(name, {}))
    if name in ("nothing found", "neither"):
        empty = Mask(array=np.zeros(result.volume.shape, dtype=np.uint8), grid=result.volume.grid)
        result = replace(result, prediction=replace(result.prediction, findings=(), mask=empty))
    if name in ("not all seen", "neither"):
        unseen = (Skipped(what="between slices", reason="2 slices were not measured."),)
        result = replace(result, prediction=replace(result.prediction, not_evaluated=unseen))
    write_all(result, tmp_path)
    complaints = pixelmed(tmp_path / "sr.dcm")
    if complaints is None:
        pytest.skip("PixelMed (libpixelmed-java) is not installed")
    assert [line for line in complaints if not line.startswith("Warning: ")] == []
    assert [line for line in complaints if not any(line.endswith(text) for text in IN_PIXELMED)] == []
