"""Key images are marked as what they are, name nobody in their pixels, and refer to the slice they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from medimg.measures import diameters
from medimg.reports import key_images, not_written
from medimg.reports._absent import MOST_KEY_IMAGES
from tests.builders.dicom_checks import dciodvfy
from tests.builders.study import CT, ENHANCED_CT, balls, grid_of, study_result


@pytest.fixture
def result(tmp_path):
    return study_result(tmp_path / "source")


def read(result, folder):
    return [pydicom.dcmread(path) for path in key_images.write(result, folder)]


def test_one_a_finding_in_one_series(tmp_path, result):
    images = read(result, tmp_path)
    assert [image.InstanceNumber for image in images] == [1, 2]
    assert len({image.SeriesInstanceUID for image in images}) == 1
    assert len({image.SOPInstanceUID for image in images}) == 2
    assert {image.SeriesNumber for image in images} == {9003}


def test_it_is_a_colour_picture_marked_as_ai_output(tmp_path, result):
    image = read(result, tmp_path)[0]
    assert image.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert (image.PhotometricInterpretation, image.pixel_array.shape[2]) == ("RGB", 3)
    assert list(image.ImageType) == ["DERIVED", "SECONDARY"]
    assert image.SeriesDescription == "medimg lung-nodule: key images (AI, research only)"
    assert "AI OUTPUT" in image.ImageComments
    assert "AI OUTPUT" in key_images.NOTICE
    assert "not a probability of cancer" in key_images.NOT_CANCER
    bottom = image.pixel_array[-40:]
    assert ((bottom == (255, 200, 0)).all(axis=-1)).sum() > 100, "the notice stands in the picture"


def test_no_name_is_written_into_the_pixels(tmp_path):
    """The same picture whoever the patient is."""
    somebody = study_result(tmp_path / "a")
    other = study_result(tmp_path / "b", PatientName="Other^Name", PatientID="X1", PatientBirthDate="19990101")
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    for one, two in zip(read(somebody, tmp_path / "1"), read(other, tmp_path / "2"), strict=True):
        assert one.BurnedInAnnotation == two.BurnedInAnnotation == "NO"
        assert np.array_equal(one.pixel_array, two.pixel_array)
        assert str(two.PatientName) == "Other^Name"
        assert one.SOPInstanceUID != two.SOPInstanceUID, "another header is another object"


def test_what_the_scanner_burnt_in_is_not_denied(tmp_path):
    assert read(study_result(tmp_path / "source", BurnedInAnnotation="YES"), tmp_path)[0].BurnedInAnnotation == "YES"


@pytest.mark.parametrize("enhanced", [False, True], ids=["single-frame", "multi-frame"])
def test_it_refers_to_the_slice_that_it_shows(tmp_path, enhanced):
    result = study_result(tmp_path / "source", enhanced=enhanced)
    for image, finding in zip(read(result, tmp_path), result.findings, strict=True):
        (reference,) = image.SourceImageSequence
        shown = result.series.slices[diameters(result.prediction.mask, label=finding.id).slice_index]
        assert reference.ReferencedSOPInstanceUID == shown.instance_uid
        assert reference.ReferencedSOPClassUID == (ENHANCED_CT if enhanced else CT)
        assert reference.get("ReferencedFrameNumber") == (shown.frame + 1 if enhanced else None)
        assert finding.tracking_uid in image.DerivationDescription


def test_the_same_result_is_the_same_bytes(tmp_path, result):
    (tmp_path / "again").mkdir()
    for one, two in zip(key_images.write(result, tmp_path), key_images.write(result, tmp_path / "again"), strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_many_findings_get_the_first_twenty_and_it_is_said(tmp_path):
    grid = grid_of(shape=(8, 60, 60), spacing_mm=(2.5, 1.0, 1.0))
    x, y, z = grid.to_mm((4, 6, 6))
    places = [((x + 10 * (number % 5), y + 10 * (number // 5), z), 3.0) for number in range(MOST_KEY_IMAGES + 2)]
    many = study_result(tmp_path / "source", mask=balls(grid, places), heat=False)
    assert len(many.findings) == MOST_KEY_IMAGES + 2
    assert len(key_images.write(many, tmp_path)) == MOST_KEY_IMAGES
    (said,) = [item for item in not_written(many) if item.what.startswith("key_")]
    assert "first 20 of 22" in said.reason
    assert not [item for item in not_written(replace(many, prediction=replace(many.prediction, findings=many.findings[:20])))
                if item.what.startswith("key_")]  # fmt: skip


def test_a_slice_that_was_filled_in_is_said_to_be(tmp_path, monkeypatch):
    titles = []
    draw = key_images.draw_key_image
    monkeypatch.setattr(
        key_images, "draw_key_image", lambda *args, **options: (titles.append(options["title"]), draw(*args, **options))[1]
    )
    whole = study_result(tmp_path / "whole", heat=False)
    shown = diameters(whole.prediction.mask, label=1).slice_index
    for number, gaps in enumerate([(), (shown,)]):
        (tmp_path / f"out{number}").mkdir()
        key_images.write(study_result(tmp_path / f"source{number}", heat=False, gaps=gaps), tmp_path / f"out{number}")
    assert ["not measured" in title[-1] for title in titles] == [False, False, True, False]


def test_a_picture_of_lossy_pixels_is_lossy(tmp_path):
    (tmp_path / "out").mkdir()
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionRatio": "10", "LossyImageCompressionMethod": "ISO_10918_1"}
    for picture in read(study_result(tmp_path / "lossy", heat=False, **lossy), tmp_path / "out"):
        assert {name: str(picture.get(name)) for name in lossy} == lossy
        assert dciodvfy(tmp_path / "out" / "key_1.dcm") in ([], None)
