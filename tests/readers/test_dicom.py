"""What a user of DICOM folders relies on: every voxel at its millimetre, whatever files are named and however they are packed."""

from __future__ import annotations

import os
import shutil
import traceback
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medimg import readers
from medimg.errors import ManyVolumesError, ScanError
from medimg.values import Verdict
from tests.builders.ct_series import SYNTAXES, ct_series

PYDICOM_CANNOT = ("jpeg-lossless", "htj2k")  # it decodes these with further packages only, which nothing else here needs


def only_series(folder):
    studies, skipped = readers.scan(folder)
    (series,) = [item for study in studies for item in study.series]
    return series, skipped


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_transfer_syntax_gives_the_same_values(syntax, tmp_path):
    hu, affine = ct_series(tmp_path, slices=3, transfer_syntax=syntax)
    volume = readers.read(tmp_path)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, hu)
    assert np.allclose(volume.grid.affine, affine, atol=1e-6)
    assert (volume.modality, volume.unit) == ("CT", "HU")


@pytest.mark.parametrize("syntax", [syntax for syntax in SYNTAXES if syntax not in PYDICOM_CANNOT])
def test_values_equal_pydicom(syntax, tmp_path):
    import pydicom

    ct_series(tmp_path, slices=1, transfer_syntax=syntax)
    (file,) = tmp_path.iterdir()
    expected = pydicom.dcmread(file).pixel_array.astype(int) - 1024
    assert np.array_equal(readers.read(file).array[0], expected)


def test_files_may_have_any_name_and_lie_anywhere(tmp_path):
    hu, affine = ct_series(tmp_path / "all", slices=6, order=[4, 0, 5, 2, 1, 3], name="IM{}")
    for number, file in enumerate(sorted((tmp_path / "all").iterdir())):
        target = tmp_path / "deep" / f"{number % 3}" / "x"
        target.mkdir(parents=True, exist_ok=True)
        shutil.move(file, target / file.name)
    volume = readers.read(tmp_path)
    assert np.array_equal(volume.array, hu)
    assert np.allclose(volume.grid.affine, affine, atol=1e-6)


def test_several_studies_come_apart_and_keep_their_names(tmp_path):
    first, _ = ct_series(tmp_path, slices=3, uid="2.25.7", name="a{}", seed=1)
    second, _ = ct_series(tmp_path, slices=4, uid="2.25.8", name="b{}", seed=2)
    studies, _ = readers.scan(tmp_path)
    assert len(studies) == 2
    volumes = {study.name: readers.read_series(study.series[0]).array for study in studies}
    assert sorted(array.shape[0] for array in volumes.values()) == [3, 4]
    again = {study.name for study in readers.scan(tmp_path)[0]}
    assert again == set(volumes)
    with pytest.raises(ManyVolumesError, match="series-"):
        readers.read(tmp_path)
    name = next(study.series[0].name for study in studies if study.series[0].grid.shape[0] == 4)
    assert np.array_equal(readers.read(tmp_path, series=name).array, second)
    assert len(readers.read_all(tmp_path)) == 2
    assert first.shape[0] == 3


def test_names_hold_no_patient_data(tmp_path):
    ct_series(tmp_path, slices=2)
    (study,), _ = readers.scan(tmp_path)
    shown = repr(study.to_dict()) + study.series[0].describe()
    for secret in ("Doe", "P1", "2.25.1"):
        assert secret not in shown


def test_a_cut_file_at_the_end_is_left_out_and_said(tmp_path):
    hu, affine = ct_series(tmp_path, slices=5)
    last = tmp_path / "0004.dcm"
    last.write_bytes(last.read_bytes()[:-100])
    series, _ = only_series(tmp_path)
    volume = readers.read_series(series)
    assert series.verdict is Verdict.REPAIRED
    assert series.hazards[0].files == ("0004.dcm",)
    assert "0004.dcm" in series.hazards[0].sentence
    assert np.array_equal(volume.array, hu[:4])
    assert np.allclose(volume.grid.affine, affine, atol=1e-6)


@pytest.mark.parametrize("syntax", ["rle", "jpeg-lossless", "jpeg-ls", "jpeg-2000"])
@pytest.mark.parametrize("slice_number", [0, 2, 4])
def test_a_damaged_code_stream_is_a_gap_or_left_out(syntax, slice_number, tmp_path):
    import pydicom

    hu, affine = ct_series(tmp_path, slices=5, transfer_syntax=syntax)
    file = tmp_path / f"{slice_number:04d}.dcm"
    one = pydicom.dcmread(file)
    code = bytearray(one.PixelData)
    code[20 : 20 + 40] = bytes(40)  # the head of the code stream, behind the offset table and two item heads
    one.PixelData = bytes(code)
    one.save_as(file)
    series, _ = only_series(tmp_path)
    with pytest.raises(ScanError, match="load_series"):
        readers.read_series(series)
    volume, seen = readers.load_series(series)
    assert seen.verdict is Verdict.REPAIRED
    assert any(file.name in hazard.sentence for hazard in seen.hazards)
    assert len(seen.slices) == 4
    assert volume.grid is seen.grid
    for place, source in enumerate(seen.slice_of):
        if source is not None:
            position = np.array(seen.slices[source].position_mm)
            number = round(float(np.linalg.norm(position - affine[:3, 3])) / 2.5)
            assert np.array_equal(volume.array[place], hu[number])
            assert np.allclose(volume.grid.to_mm((place, 0, 0)), position, atol=1e-6)
    assert volume.shape[0] == (5 if slice_number == 2 else 4)


def test_a_volume_that_needs_more_than_int16_is_float32_and_exact(tmp_path):
    hu, _ = ct_series(tmp_path, slices=2, RescaleSlope="20", RescaleIntercept="-1024")
    volume = readers.read(tmp_path)
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, (hu.astype(float) + 1024) * 20 - 1024)


def test_a_fractional_slope_is_float32(tmp_path):
    hu, _ = ct_series(tmp_path, slices=2, RescaleSlope="0.5", RescaleIntercept="-1024")
    assert np.array_equal(readers.read(tmp_path).array, (hu.astype(np.float32) + 1024) * 0.5 - 1024)


def test_links_pipes_and_loops_are_skipped_with_a_reason(tmp_path):
    inside = tmp_path / "scan"
    ct_series(inside, slices=2)
    os.symlink(inside, inside / "loop")
    os.symlink("/etc", inside / "out")
    os.mkfifo(inside / "pipe")
    series, skipped = only_series(inside)
    assert len(series.files) == 2
    reasons = {item.what: item.reason for item in skipped}
    assert set(reasons) == {"loop", "out", "pipe"}
    assert "named pipe" in reasons["pipe"]
    assert "out of this folder" in reasons["out"]


def test_two_patients_under_one_study_uid_are_refused(tmp_path):
    ct_series(tmp_path, slices=6, PatientID=lambda number: "P1" if number < 3 else "P2")
    series, _ = only_series(tmp_path)
    assert series.verdict is Verdict.REFUSED
    assert "2 patients" in series.hazards[0].sentence
    assert "P1" not in series.hazards[0].sentence


def test_objects_that_are_no_scan_are_skipped_and_named(tmp_path):
    for number, (sop_class, modality, word) in enumerate(
        [
            ("1.2.840.10008.5.1.4.1.1.66.4", "SEG", "SEG"),
            ("1.2.840.10008.5.1.4.1.1.88.33", "SR", "SR"),
            ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", "RTSTRUCT"),
            ("1.2.840.10008.5.1.4.1.1.11.1", "PR", "PR"),
            ("1.2.840.10008.5.1.4.1.1.88.59", "KO", "KO"),
            ("1.2.840.10008.5.1.4.1.1.7", "OT", "secondary capture"),
            ("1.2.840.10008.5.1.4.1.1.6.1", "US", "ultrasound"),
        ]
    ):
        folder = tmp_path / str(number)
        ct_series(folder, slices=1, SOPClassUID=sop_class, Modality=modality)
        studies, (skipped,) = readers.scan(folder)
        assert not studies
        assert word in skipped.reason
        with pytest.raises(ScanError, match=word):
            readers.read(folder)


@pytest.mark.parametrize(
    "address", ["pacs://archive?PatientID=PID-4711", "PACS:/PID-4711", "https://erika:geheim-4711@archive/x"]
)
@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_in_the_place_of_a_file_is_not_shown(address, kind):
    with pytest.raises(ScanError, match="An address was given") as caught:
        readers.scan(kind(address))
    assert "4711" not in "".join(traceback.format_exception_only(caught.value))


def test_an_empty_folder_and_a_missing_one_are_said(tmp_path):
    with pytest.raises(ScanError, match="holds no files"):
        readers.read(tmp_path)
    with pytest.raises(ScanError, match="cannot be opened"):
        readers.scan(tmp_path / "absent")


def test_boxes_far_apart_are_two_volumes(tmp_path):
    places = [0, 2.5, 5, 7.5, 300, 302.5, 305, 307.5]
    hu, _ = ct_series(tmp_path, slices=8, places_mm=places)
    series = readers.scan(tmp_path)[0][0].series
    assert [item.verdict for item in series] == [Verdict.SPLIT] * 2
    low, high = sorted((readers.read_series(item) for item in series), key=lambda volume: volume.grid.origin_mm[2])
    assert np.array_equal(low.array, hu[:4])
    assert np.array_equal(high.array, hu[4:])


def test_step_and_shoot_blocks_that_meet_stay_one_volume(tmp_path):
    hu, _ = ct_series(tmp_path, slices=12, AcquisitionNumber=lambda number: number // 4 + 1)
    series, _ = only_series(tmp_path)
    assert series.verdict is Verdict.EXACT
    assert np.array_equal(readers.read_series(series).array, hu)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"PixelSpacing": ["0", "0.7"]}, "bad-spacing"),
        ({"PixelSpacing": None}, "no-spacing"),
        ({"ImageOrientationPatient": ["0", "0", "0", "0", "0", "0"]}, "bad-orientation"),
        ({"RescaleSlope": "0"}, "rescale-slope-0"),
        ({"RescaleIntercept": None, "RescaleSlope": None}, "no-rescale"),
        ({"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63}, "bits"),
        ({"Rows": 0}, "no-size"),
        ({"Rows": 65535, "Columns": 65535}, "too-large"),
        ({"Rows": 40}, "truncated"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"NumberOfFrames": 3}, "multi-frame"),
    ],
)
def test_what_cannot_be_trusted_is_refused_in_words(attributes, kind, tmp_path):
    ct_series(tmp_path, slices=3, **attributes)
    series, _ = only_series(tmp_path)
    assert series.verdict is Verdict.REFUSED
    assert series.hazards[0].kind == kind
    assert series.grid is None
    with pytest.raises(ScanError):
        readers.read_series(series)


def random_turn(seed):
    """Return two orthogonal unit vectors as a decimal string keeps them."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return np.concatenate([turn[0], turn[1]])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turn=st.integers(0, 10_000),
    spacing=st.tuples(st.floats(0.5, 6), st.floats(0.3, 3), st.floats(0.3, 3)),
    slices=st.integers(2, 6),
    tilt=st.sampled_from([0.0, 0.0, 7.0, -21.5]),
    shuffle=st.randoms(use_true_random=False),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_world_points_keep_their_values(tmp_path_factory, turn, spacing, slices, tilt, shuffle, origin):
    folder = tmp_path_factory.mktemp("series")
    order = list(range(slices))
    shuffle.shuffle(order)
    hu, affine = ct_series(
        folder,
        slices=slices,
        size=(5, 6),
        spacing_mm=spacing,
        tilt_deg=tilt,
        orientation=random_turn(turn),
        origin_mm=origin,
        order=order,
        uid=f"2.25.{turn + 1}",
    )
    volume = readers.read(folder)
    corners = np.array([(0, 0, 0), (slices - 1, 4, 5), (0, 4, 0), (slices - 1, 0, 5)])
    assert np.allclose(volume.grid.to_mm(corners), corners @ affine[:3, :3].T + affine[:3, 3], atol=1e-3)
    assert np.array_equal(volume.array, hu)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), slices=st.integers(5, 12), spacing=st.floats(0.6, 6))
def test_missing_slices_shift_nothing(tmp_path_factory, data, slices, spacing):
    gone = data.draw(st.sets(st.integers(1, slices - 2), min_size=1, max_size=(slices - 3) // 2))
    folder = tmp_path_factory.mktemp("series")
    hu, affine = ct_series(folder, slices=slices, size=(4, 4), spacing_mm=(spacing, 1, 1))
    for number in gone:
        (folder / f"{number:04d}.dcm").unlink()
    series, _ = only_series(folder)
    volume = readers.read_series(series)
    assert series.verdict is Verdict.REPAIRED
    normal = np.array([0, 0, 1])
    for place in range(volume.shape[0]):
        height = (volume.grid.to_mm((place, 0, 0)) - affine[:3, 3]) @ normal / spacing
        kept = [number for number in range(slices) if number not in gone]
        nearest = min(abs(height - number) for number in kept)
        candidates = [number for number in kept if abs(height - number) <= nearest + 1e-3]
        assert any(np.array_equal(volume.array[place], hu[number]) for number in candidates)
        if series.slice_of[place] is not None:
            assert nearest < 1e-3


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turn=st.integers(0, 10_000),
    counts=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    step=st.floats(0.6, 5),
    apart=st.floats(-1, 1),
    tilt=st.sampled_from([0.0, 12.0]),
)
def test_two_acquisitions_in_one_series_come_apart_and_keep_their_places(tmp_path_factory, turn, counts, step, apart, tilt):
    """Wherever the second lies along the first: on it, between its slices, or beside it."""
    folder = tmp_path_factory.mktemp("split")
    axes = np.linalg.qr(np.random.default_rng(turn).standard_normal((3, 3)))[0][:2]
    truth = []
    for number, count in enumerate(counts):
        places = np.arange(count) * step + number * apart * step
        truth += [
            ct_series(
                folder,
                slices=count,
                size=(5, 6),
                spacing_mm=(step, 0.9, 0.7),
                orientation=axes.ravel(),
                places_mm=places,
                tilt_deg=tilt,
                seed=number,
                name=f"{number}-{{:02d}}.dcm",
                AcquisitionNumber=number + 1,
                SOPInstanceUID=lambda k, number=number: f"2.25.9.{number + 1}.{k + 1}",
            )
        ]
    series = [item for study in readers.scan(folder)[0] for item in study.series]
    assert sum(len(item.slices) for item in series) == sum(counts)
    seen = 0
    for item in series:
        volume = readers.read_series(item)
        for place, number in enumerate(item.slice_of):
            if number is None:
                continue
            acquisition = int(item.slices[number].file.name[0])
            hu, affine = truth[acquisition]
            corner = np.linalg.solve(affine, [*item.slices[number].position_mm, 1])[0]
            assert np.array_equal(volume.array[place], hu[round(corner)])
            seen += 1
    assert seen == sum(counts)


@pytest.mark.parametrize("syntax", ["explicit", "jpeg-ls"])
def test_one_thread_reads_the_same(tmp_path, monkeypatch, syntax):
    from medimg.readers import _dicom_read

    ct_series(tmp_path, slices=7, transfer_syntax=syntax)
    two = readers.read(tmp_path).array
    monkeypatch.setattr(_dicom_read, "THREADS", 1)
    assert np.array_equal(readers.read(tmp_path).array, two)
