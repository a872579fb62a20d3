"""Anyone's mask becomes findings and DICOM objects where it was drawn, and they say that it was given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

import medimg
from medimg.errors import GeometryError, OptionError, ScanError
from medimg.reports import seg as seg_object
from medimg.values import Code, Mask, Volume
from medimg.writers import write_nifti, write_nrrd
from tests.builders.dicom_checks import dciodvfy, in_order, voxels
from tests.builders.rtstruct import structures
from tests.builders.seg_cases import GEOMETRIES
from tests.builders.study import LEFT, LUNG, NODULE, study_result, two_nodules


@pytest.fixture
def given(tmp_path):
    """A scan of two balls: its result and the folder of its slices."""
    return study_result(tmp_path / "source", heat=False), tmp_path / "source"


def nifti(mask, path):
    return write_nifti(Mask(array=mask.array, grid=mask.grid), path)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_mask_comes_out_where_it_was_drawn(tmp_path, geometry):
    """NIfTI of the scan's own grid in; every voxel of the SEG that comes out lies where the mask has it."""
    result = study_result(tmp_path / "source", heat=False, **GEOMETRIES[geometry])
    mask = result.prediction.mask
    run = medimg.overlay(nifti(mask, tmp_path / "mask.nii.gz"), tmp_path / "source", output=tmp_path / "out", made_by="manual")
    (study,) = run.studies
    found = voxels(next(path for path in study.files if path.name == "seg.dcm"))
    measured = np.array([origin is not None for origin in result.series.slice_of])[:, None, None]
    for finding in result.findings:
        wanted = mask.grid.to_mm(np.argwhere(mask.of(finding.id) & measured))
        assert np.abs(in_order(found[finding.id]) - in_order(wanted)).max() < 0.02
        placed = next(one for one in study.findings if one.id == finding.id)
        assert placed.center_mm == pytest.approx(finding.center_mm, abs=0.02)
        assert placed.measures.volume_mm3 == pytest.approx(finding.measures.volume_mm3, rel=1e-5)


def test_the_objects_say_that_the_outlines_were_given(tmp_path, given):
    result, folder = given
    mask = nifti(result.prediction.mask, tmp_path / "mask.nii.gz")
    run = medimg.overlay(mask, folder, output=tmp_path / "out", kind="nodule", segment_names={1: "GTV"}, made_by="manual")
    (study,) = run.studies
    names = [path.name for path in study.files]
    assert {"seg.dcm", "sr.dcm", "key_1.dcm", "key_2.dcm", "report.html", "findings.json", "run.json"} <= set(names)
    seg = pydicom.dcmread(study.folder / "seg.dcm")
    first, second = seg.SegmentSequence
    assert first.SegmentAlgorithmType == "MANUAL"
    assert "SegmentAlgorithmName" not in first
    assert (first.SegmentLabel, second.SegmentLabel) == ("GTV", "Nodule 2")
    assert "given" in seg.SeriesDescription
    assert "AI" not in seg.SeriesDescription
    assert "AI OUTPUT" not in pydicom.dcmread(study.folder / "key_1.dcm").ImageComments
    findings = json.loads((study.folder / "findings.json").read_text())
    assert findings["provenance"]["outlines"] == "MANUAL"
    assert findings["findings"][0]["name"] == "GTV"
    assert findings["findings"][0]["detection_probability"] is None
    assert findings["findings"][0]["scores"] == {}
    page = (study.folder / "report.html").read_text()
    assert "The outlines were given" in page
    assert "how sure the model is" not in page


@pytest.mark.parametrize("how", ["manual", "semiautomatic", "automatic"])
def test_the_validator_finds_no_error(tmp_path, given, how):
    result, folder = given
    run = medimg.overlay(nifti(result.prediction.mask, tmp_path / "mask.nii.gz"), folder, output=tmp_path / "out", made_by=how)
    objects = [path for path in run.studies[0].files if path.suffix == ".dcm"]
    complaints = {path.name: dciodvfy(path) for path in objects}
    if None in complaints.values():
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    assert {name: said for name, said in complaints.items() if said} == {}


def test_what_a_seg_says_is_kept(tmp_path, given):
    result, folder = given
    (mask,) = seg_object.write(result, tmp_path)
    (study,) = medimg.overlay(mask, folder, output=tmp_path / "out").studies
    seg = pydicom.dcmread(study.folder / "seg.dcm")
    segment = seg.SegmentSequence[0]
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == ("AUTOMATIC", "lung-nodule")
    assert (segment.TrackingUID, segment.SegmentLabel) == ("2.25.1001", "Nodule 1")
    assert [finding.kind for finding in study.findings] == [NODULE, NODULE]
    assert [(finding.site, finding.laterality) for finding in study.findings] == [(LUNG, LEFT)] * 2
    assert seg.SOPInstanceUID != pydicom.dcmread(mask).SOPInstanceUID
    assert dciodvfy(study.folder / "seg.dcm") in ([], None)


def test_an_rtstruct_gives_its_names(tmp_path, given):
    result, folder = given
    square = ((10.4, 12.4), (10.4, 20.4), (16.4, 20.4), (16.4, 12.4))
    path = structures(tmp_path / "rt.dcm", {"GTV-1": [(4, *square), (5, *square)]}, grid=result.series.grid)
    (study,) = medimg.overlay(path, folder).studies
    (finding,) = study.findings
    assert (finding.name, study.provenance.outlines) == ("GTV-1", "MANUAL")
    assert finding.kind == Code("DCM", "111030", "Image Region")
    assert finding.measures.volume_mm3 == pytest.approx(96 * result.series.grid.voxel_volume_mm3)
    assert study.files == ()


def test_what_is_not_known_is_said_and_not_claimed(tmp_path, given):
    result, folder = given
    (study,) = medimg.overlay(nifti(result.prediction.mask, tmp_path / "mask.nii"), folder).studies
    assert study.provenance.outlines == "SEMIAUTOMATIC"
    assert "does not say how its outlines were made" in study.prediction.remarks[-1]


def test_each_piece_can_be_a_finding(tmp_path, given):
    result, folder = given
    both = Mask(array=result.prediction.mask.array > 0, grid=result.prediction.mask.grid)
    mask = nifti(both, tmp_path / "mask.nii.gz")
    assert len(medimg.overlay(mask, folder).findings) == 1
    findings = medimg.overlay(mask, folder, components=True, segment_names={1: "met"}).findings
    assert sorted(round(finding.measures.volume_mm3, 3) for finding in findings) == sorted(
        round(finding.measures.volume_mm3, 3) for finding in result.findings
    )
    assert [finding.name for finding in findings] == ["met (1)", "met (2)"]
    noise = np.random.default_rng(0).random(both.shape) > 0.9
    with pytest.raises(ScanError, match=r"pieces, and a report holds 500"):
        medimg.overlay(nifti(Mask(array=noise, grid=both.grid), tmp_path / "noise.nii"), folder, components=True)


def test_where_the_scanner_measured_nothing_is_said_and_has_no_density(tmp_path, given):
    result, _ = given
    mask, array = result.prediction.mask, result.volume.array.copy()
    beyond = np.argwhere(mask.of(1))[:100]
    array[tuple(beyond.T)] = -2000
    scan = write_nifti(Volume(array=array, grid=mask.grid), tmp_path / "scan.nii.gz")
    (study,) = medimg.overlay(nifti(mask, tmp_path / "mask.nii.gz"), scan, modality="CT").studies
    first, second = study.findings
    assert first.measures.min_hu == result.findings[0].measures.min_hu
    assert first.remarks[0].startswith("100 of its voxels lie outside of what the scanner measured")
    assert second.remarks == ()


@pytest.mark.parametrize("change", ["mirrored", "transposed", "cropped"])
def test_other_orders_of_the_same_voxels_are_laid_exactly(tmp_path, given, change):
    result, folder = given
    mask = result.prediction.mask
    array, grid = mask.array, mask.grid
    if change == "mirrored":
        array, grid = np.flip(array, (0, 2)), grid.flip(0).flip(2)
    elif change == "transposed":
        array, grid = array.transpose(2, 0, 1), grid.transpose((2, 0, 1))
    else:
        low = np.argwhere(array > 0).min(axis=0)
        array = array[tuple(slice(start, None) for start in low)]
        grid = grid.crop(low, array.shape)
    path = write_nrrd(Mask(array=np.ascontiguousarray(array), grid=grid), tmp_path / "mask.nrrd")
    (study,) = medimg.overlay(path, folder).studies
    assert np.array_equal(study.prediction.mask.array, mask.array)


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ((0.0, 0.0, 0.5), r"0\.5 mm off the scan's"),
        ((0.3, 0.0, 0.0), r"0\.3 mm off the scan's"),
        ((0, 0, 10.0), r"1 of \d+ labelled voxels of the mask lie beyond the scan"),
    ],
)
def test_a_mask_of_another_place_is_refused_with_what_is_off(tmp_path, given, moved, words):
    result, folder = given
    mask = result.prediction.mask
    affine = mask.grid.affine.copy()
    affine[:3, 3] += moved
    array = mask.array.copy()
    array[-4] = 0
    array[-4, 5, 5] = 3
    other = Mask(array=array, grid=type(mask.grid)(mask.shape, affine))
    with pytest.raises(GeometryError, match=words):
        medimg.overlay(nifti(other, tmp_path / "mask.nii"), folder)


def test_axes_that_were_mixed_up_are_said(tmp_path, given):
    result, folder = given
    mask = result.prediction.mask
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ mask.grid.affine
    other = Mask(array=mask.array, grid=type(mask.grid)(mask.shape, affine))
    with pytest.raises(GeometryError, match="signs of x and y turned"):
        medimg.overlay(nifti(other, tmp_path / "mask.nii"), folder)


def test_of_several_series_the_one_that_the_mask_lies_on_is_taken(tmp_path, given):
    from tests.builders.study import grid_of, picture, write_ct

    result, folder = given
    thin = picture(two_nodules(grid_of(shape=(32, 40, 48), spacing_mm=(1.25, 0.8, 0.7))))
    for number, path in enumerate(write_ct(folder / "thin", thin, SeriesInstanceUID="1.2.9", SeriesNumber=5)):
        data = pydicom.dcmread(path)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{number}"
        data.save_as(path)
    (study,) = medimg.overlay(nifti(result.prediction.mask, tmp_path / "mask.nii"), folder).studies
    assert study.series.series_uid == result.series.series_uid


def test_a_name_that_tells_who_it_is_is_left_out(tmp_path, given):
    result, folder = given
    mask = nifti(result.prediction.mask, tmp_path / "mask.nii")
    (study,) = medimg.overlay(mask, folder, segment_names={1: "GTV Mustermann", 2: "met"}).studies
    assert [finding.name for finding in study.findings] == ["", "met"]


def test_masks_that_are_none(tmp_path, given):
    result, folder = given
    grid = result.series.grid
    empty = nifti(Mask(array=np.zeros(grid.shape, np.uint8), grid=grid), tmp_path / "empty.nii")
    with pytest.raises(ScanError, match="outlines nothing"):
        medimg.overlay(empty, folder)
    soft = write_nifti(Volume(array=np.full(grid.shape, 0.3, np.float32), grid=grid), tmp_path / "soft.nii")
    with pytest.raises(ScanError, match=r"no whole numbers.*probabilities"):
        medimg.overlay(soft, folder)
    with pytest.raises(ScanError, match="is a scan"):
        medimg.overlay(folder, folder)
    with pytest.raises(OptionError, match="manual"):
        medimg.overlay(empty, folder, made_by="manul")
    with pytest.raises(OptionError, match="nodule"):
        medimg.overlay(empty, folder, kind="nodul")


def test_the_same_mask_gives_the_same_bytes_and_another_never_replaces_it(tmp_path, given):
    result, folder = given
    mask = nifti(result.prediction.mask, tmp_path / "mask.nii")
    smaller = nifti(Mask(array=result.prediction.mask.array == 1, grid=result.series.grid), tmp_path / "one.nii")
    first = medimg.overlay(mask, folder, output=tmp_path / "out").studies[0]
    before = {path.name: path.read_bytes() for path in first.files if path.suffix == ".dcm"}
    other = medimg.overlay(smaller, folder, output=tmp_path / "out").studies[0]
    again = medimg.overlay(mask, folder, output=tmp_path / "out").studies[0]
    assert other.folder != first.folder == again.folder
    assert {path.name: path.read_bytes() for path in again.files if path.suffix == ".dcm"} == before


def test_names_and_codes_of_slicer_are_read(tmp_path, given):
    result, folder = given
    path = write_nrrd(Mask(array=result.prediction.mask.array, grid=result.series.grid), tmp_path / "plain.nrrd")
    head, _, voxels_of = path.read_bytes().partition(b"\n\n")
    entry = b"Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically Abnormal Structure~"
    entry += b"SCT^4147007^Mass~^^~Anatomic codes~^^~^^"
    told = b"\nSegment0_LabelValue:=2\nSegment0_Name:=tumour\nSegment0_TerminologyEntry:=" + entry
    (tmp_path / "slicer.seg.nrrd").write_bytes(head + told + b"\n\n" + voxels_of)
    findings = medimg.overlay(tmp_path / "slicer.seg.nrrd", folder).findings
    assert [(finding.name, finding.kind.meaning) for finding in findings] == [("", "Image Region"), ("tumour", "Mass")]


def test_an_unknown_body_part_is_no_error(tmp_path):
    """A source that does not name the body part, and a mask that names no site: the key image is legal DICOM all the same."""
    result = study_result(tmp_path / "source", heat=False, leave_out=("BodyPartExamined",))
    run = medimg.overlay(nifti(result.prediction.mask, tmp_path / "mask.nii"), tmp_path / "source", output=tmp_path / "out")
    said = {path.name: dciodvfy(path) for path in run.studies[0].files if path.suffix == ".dcm"}
    if None in said.values():
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    assert {name: lines for name, lines in said.items() if lines} == {}


def test_what_is_written_keeps_to_the_schema_and_was_read_back(tmp_path, given):
    import jsonschema

    result, folder = given
    mask = nifti(result.prediction.mask, tmp_path / "mask.nii")
    run = medimg.overlay(mask, folder, output=tmp_path / "out", segment_names={1: "GTV"}, cut=True)
    schema = json.loads((Path(medimg.__file__).parent / "reports" / "findings.schema.json").read_text())
    written = [json.loads((run.studies[0].folder / name).read_text()) for name in ("findings.json", "run.json")]
    for document in (*written, json.loads(json.dumps(run.to_dict()))):
        jsonschema.validate(document, schema)
    proof = {item["file"]: item["agrees"] for item in written[1]["proof"]}
    assert proof == {"seg.dcm": True, "sr.dcm": True}


def test_a_report_of_an_overlay_comes_back(tmp_path, given):
    result, folder = given
    mask = nifti(result.prediction.mask, tmp_path / "mask.nii")
    (study,) = medimg.overlay(mask, folder, output=tmp_path / "out", segment_names={1: "GTV"}, kind="mass").studies
    report = medimg.read_sr(study.folder / "sr.dcm", segmentation=study.folder / "seg.dcm")
    for read, finding in zip(report.findings, study.findings, strict=True):
        assert (read.name, read.kind, read.tracking_uid) == (finding.name, finding.kind, finding.tracking_uid)
        assert read.detection_probability is None
        assert read.scores == ()
        assert read.center_mm == pytest.approx(finding.center_mm, abs=0.01)


def test_a_metaimage_will_do(tmp_path, given):
    import SimpleITK as sitk

    result, folder = given
    mask = result.prediction.mask
    image = sitk.GetImageFromArray(mask.array)
    image.SetSpacing(mask.grid.spacing_mm[::-1])
    image.SetOrigin(mask.grid.origin_mm)
    sitk.WriteImage(image, str(tmp_path / "mask.mha"), useCompression=True)
    (study,) = medimg.overlay(tmp_path / "mask.mha", folder).studies
    assert np.array_equal(study.prediction.mask.array, mask.array)


def test_a_folder_may_hold_the_mask_and_a_study_the_scan(tmp_path, given):
    """As an archive gives it: a folder with the SEG in it beside one with the slices."""
    result, folder = given
    (tmp_path / "export").mkdir()
    seg_object.write(result, tmp_path / "export")
    (study,) = medimg.overlay(tmp_path / "export", folder).studies
    assert len(study.findings) == 2
    (tmp_path / "export" / "again.dcm").write_bytes((tmp_path / "export" / "seg.dcm").read_bytes())
    with pytest.raises(ScanError, match="holds 2 segmentations"):
        medimg.overlay(tmp_path / "export", folder)


def test_a_labelmap_on_request_is_read_back_too(tmp_path, given):
    result, folder = given
    mask = nifti(result.prediction.mask, tmp_path / "mask.nii")
    (study,) = medimg.overlay(mask, folder, output=tmp_path / "out", labelmap=True).studies
    for name in ("seg.dcm", "seg_binary.dcm"):
        read = medimg.read_seg(study.folder / name, scan=folder)
        assert np.array_equal(read.array, result.prediction.mask.array)


def test_names_in_the_mask_are_held_against_the_patient_that_it_names_itself(tmp_path, given):
    """A scan in another format, or an anonymous one, knows no patient; the mask does."""
    result, _ = given
    (path,) = seg_object.write(result, tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.SegmentSequence[0].SegmentLabel, dataset.SegmentSequence[1].SegmentLabel = "GTV Mustermann", "PID4711 node"
    for segment in dataset.SegmentSequence:
        segment.SegmentAlgorithmName = "Outliner, run for Mustermann"
    (tmp_path / "masks").mkdir()
    dataset.save_as(tmp_path / "masks" / "seg.dcm")
    study_result(tmp_path / "nobody", heat=False, PatientName="ANON", PatientID="")
    scan = write_nifti(result.volume, tmp_path / "scan.nii.gz")
    for mask in (tmp_path / "masks" / "seg.dcm", tmp_path / "masks"):
        for place in (scan, tmp_path / "nobody"):
            run = medimg.overlay(mask, place, modality="CT", output=tmp_path / "out", segments=["GTV Mustermann", "2"])
            (study,) = run.studies
            assert [finding.name for finding in study.findings] == ["", ""]
            assert any("was left out" in remark for remark in study.prediction.remarks)
            told = (study.folder / "run.json").read_text() + (study.folder / "report.html").read_text()
            assert "Mustermann" not in told
            assert "PID4711" not in told


@pytest.mark.parametrize("uids", [("1.2.3.4", "1.2.3.4"), ("2.25.10 0", "9.0.01.2.")], ids=["one for two", "no UIDs"])
def test_two_outlines_are_two_findings_whatever_they_are_followed_by(tmp_path, given, uids):
    result, folder = given
    (path,) = seg_object.write(result, tmp_path)
    raw = path.read_bytes()
    for old, new in zip((b"2.25.1001", b"2.25.1002"), uids, strict=True):
        raw = raw.replace(old, new.encode().ljust(9, b"\0"))
    (tmp_path / "mask.dcm").write_bytes(raw)
    (study,) = medimg.overlay(tmp_path / "mask.dcm", folder, output=tmp_path / "out").studies
    written = [segment.TrackingUID for segment in pydicom.dcmread(study.folder / "seg.dcm").SegmentSequence]
    assert len(set(written)) == 2
    assert all(uid.startswith("2.25.") and uid.replace(".", "").isdigit() for uid in written)
    report = medimg.read_sr(study.folder / "sr.dcm", segmentation=study.folder / "seg.dcm")
    assert len(report.findings) == 2


def test_a_code_that_would_be_two_values_is_refused(tmp_path, given):
    result, folder = given
    with pytest.raises(OptionError, match="backslash"):
        medimg.overlay(nifti(result.prediction.mask, tmp_path / "mask.nii.gz"), folder, kind="SCT:1\\2:Liver")


def test_the_side_of_a_thing_without_a_region_is_kept(tmp_path, given):
    """As dcmqi writes a left kidney: the side modifies the type, and no region is named."""
    result, folder = given
    (path,) = seg_object.write(result, tmp_path)
    dataset = pydicom.dcmread(path)
    for segment in dataset.SegmentSequence:
        side = segment.AnatomicRegionSequence[0].AnatomicRegionModifierSequence
        segment.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
        del segment.AnatomicRegionSequence
    dataset.save_as(tmp_path / "mask.dcm")
    (study,) = medimg.overlay(tmp_path / "mask.dcm", folder, output=tmp_path / "out").studies
    assert [(finding.site, finding.laterality) for finding in study.findings] == [(None, LEFT)] * 2
    again = medimg.read_seg(study.folder / "seg.dcm")
    assert [segment.laterality for segment in again.segments.values()] == [LEFT] * 2
    assert "Side: Left" in medimg.read_sr(study.folder / "sr.dcm").groups[0].comments
    assert dciodvfy(study.folder / "seg.dcm") in ([], None)


def test_the_report_names_the_patient_where_slices_share_a_uid(tmp_path, given):
    result, folder = given
    first, second = (result.series.slices[index].file for index in (0, 1))
    dataset = pydicom.dcmread(second)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.dcmread(first).SOPInstanceUID
    dataset.save_as(second)
    mask = nifti(result.prediction.mask, tmp_path / "mask.nii.gz")
    (study,) = medimg.overlay(mask, folder, output=tmp_path / "out", identify=True).studies
    assert "Mustermann" in (study.folder / "report.html").read_text()
    assert "PID4711" in (study.folder / "report.html").read_text()
    assert not [path for path in study.files if path.suffix == ".dcm"]
