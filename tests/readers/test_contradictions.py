"""Headers that leave something out or contradict themselves: read right, or said, never taken on a guess."""

from __future__ import annotations

import imagecodecs
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_rescale
from pydicom.sequence import Sequence

from medimg import readers
from medimg.errors import ScanError
from medimg.values import Verdict
from tests.builders.ct_series import change_files, ct_series, number_text
from tests.builders.hazards_enhanced import enhanced, item
from tests.builders.phantom import stack

PET, MR = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def folder(tmp_path):
    ct_series(tmp_path / "scan", slices=10)
    return tmp_path / "scan"


def series_in(place):
    return [series for study in readers.scan(place)[0] for series in study.series]


def kinds(series):
    return {hazard.kind for hazard in series.hazards}


def as_modality(data, modality, uid):
    data.Modality, data.SOPClassUID = modality, uid
    data.file_meta.MediaStorageSOPClassUID = uid


def test_every_frame_of_a_projection_is_its_own_picture(tmp_path):
    planes = stack()[:4]
    one = enhanced(planes, range(4))
    one.SOPClassUID, one.Modality = "1.2.840.10008.5.1.4.1.1.13.1.3", "MG"
    for group in one.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence
    one.file_meta = pydicom.dataset.FileMetaDataset()
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    one.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    pixels = pydicom.dcmread(tmp_path / "a.dcm").pixel_array.astype(int)
    volumes = [readers.read_series(series).array[0] for series in series_in(tmp_path)]
    assert len(volumes) == 4
    assert len({tuple((volume.astype(int) - pixels[number]).ravel()[:1]) for number, volume in enumerate(volumes)}) == 1


@pytest.mark.parametrize(("modality", "uid"), [("PT", PET), ("MR", MR)])
def test_a_slice_without_the_rescale_that_others_have_is_left_out(folder, modality, uid):
    def slope(data, number):
        as_modality(data, modality, uid)
        data.RescaleSlope, data.RescaleIntercept = "2.5", "0"
        if number == 4:
            del data.RescaleSlope, data.RescaleIntercept

    change_files(folder, slope)
    (series,) = series_in(folder)
    assert "left-out-no-rescale" in kinds(series)
    assert len(series.slices) == 9


def test_big_endian_words_of_bytes_are_not_swapped(tmp_path):
    ct_series(tmp_path, slices=3, size=(5, 7), transfer_syntax="big")
    values = {}
    for path in tmp_path.iterdir():
        data = pydicom.dcmread(path)
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit = 7
        array = np.random.default_rng(int(data.InstanceNumber)).integers(0, 255, (5, 7), dtype=np.uint8)
        values[float(data.ImagePositionPatient[2])] = array
        padded = np.append(array.ravel(), np.uint8(0))
        data.PixelData = padded.view(np.uint16).byteswap().tobytes()
        data["PixelData"].VR = "OW"
        data.save_as(path)
    volume = readers.read(tmp_path)
    assert np.array_equal(volume.array + 1024, np.stack([values[place] for place in sorted(values)]))


def test_the_same_stored_values_with_another_rescale_are_no_copy(folder):
    first = sorted(folder.iterdir())[4]
    data = pydicom.dcmread(first)
    data.RescaleIntercept, data.SOPInstanceUID = "-1000", "2.25.99"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(folder / "copy.dcm")
    (series,) = series_in(folder)
    assert series.verdict is Verdict.REFUSED
    assert kinds(series) == {"conflicting-slices"}


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("EchoNumbers", (1, 2)),
        ("InversionTime", (100, 900)),
        ("FlipAngle", (5, 30)),
        ("SliceThickness", (1, 5)),
        ("SeriesNumber", (3, 4)),
    ],
)
def test_interleaved_passes_of_two_contrasts_are_two_volumes(folder, keyword, values):
    def two(data, number):
        as_modality(data, "MR", MR)
        setattr(data, keyword, str(values[number % 2]))

    change_files(folder, two)
    series = series_in(folder)
    assert [len(one.slices) for one in series] == [5, 5]
    assert all(one.verdict is Verdict.SPLIT for one in series)


def test_a_mosaic_that_does_not_say_so_is_seen(folder):
    def mosaic(data, _):
        as_modality(data, "MR", MR)
        data.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
        data.add_new(0x0019100A, "US", 9)

    change_files(folder, mosaic)
    assert all("mosaic" in kinds(series) for series in series_in(folder))


def test_a_stream_with_a_sign_under_a_header_without_is_refused(folder):
    signed = np.random.default_rng(0).integers(-200, 200, (20, 24)).astype(np.int16)

    def coded(data, _):
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
        data.BitsStored, data.HighBit = 16, 15
        data.PixelData = encapsulate([imagecodecs.jpeg2k_encode(signed, codecformat="j2k", reversible=True)])
        data["PixelData"].is_undefined_length = True

    change_files(folder, coded)
    with pytest.raises(ScanError, match="with a sign"):
        readers.read(folder)
    change_files(folder, lambda data, _: setattr(data, "PixelRepresentation", 1))
    assert np.array_equal(readers.read(folder).array[0] + 1024, signed)


def test_more_bits_than_the_header_tells_are_refused(folder):
    wide = np.full((20, 24), 5103, np.uint16)

    def coded(data, _):
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
        data.PixelData = encapsulate([imagecodecs.jpegls_encode(wide)])
        data["PixelData"].is_undefined_length = True

    change_files(folder, coded)
    with pytest.raises(ScanError, match="more bits"):
        readers.read(folder)


def test_pixels_of_an_untold_sign_are_refused(folder):
    change_files(folder, lambda data, _: data.__delattr__("PixelRepresentation"))
    (series,) = series_in(folder)
    assert kinds(series) == {"no-sign"}


def test_a_qform_of_half_a_turn_is_placed_as_nibabel_places_it(tmp_path):
    for number, angle in enumerate(np.linspace(0.01, 3.1, 40)):
        turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        affine = np.eye(4)
        affine[:3, :3] = turn @ np.diag([-1, -1, 1])
        image = nib.Nifti1Image(np.zeros((30, 30, 30), np.int16), None)
        image.set_qform(affine, code=1)
        image.header["sform_code"] = 0
        path = tmp_path / f"{number}.nii"
        nib.save(image, path)
        grid = readers.read(path).grid
        truth = nib.affines.apply_affine(nib.load(path).affine, (29, 29, 29)) * (-1, -1, 1)
        assert np.allclose(grid.to_mm((29, 29, 29)), truth, atol=1e-3)


@pytest.mark.parametrize(("kind", "told"), [(np.int32, True), (np.int16, False)])
def test_whole_numbers_that_float32_rounds_are_told(tmp_path, kind, told):
    array = np.arange(60, dtype=kind).reshape(5, 4, 3) + (kind(1 << 25) if told else kind(0))
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii")
    (series,) = series_in(tmp_path)
    _, seen = readers.load_series(series)
    assert ("rounded" in kinds(seen)) == told


def test_mha_lengths_in_centimetres_are_millimetres_times_ten(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16)), tmp_path / "a.mha")
    raw = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(raw.replace(b"ElementType", b"DistanceUnits = cm\nElementType", 1))
    (series,) = series_in(tmp_path)
    assert series.grid.spacing_mm == (10, 10, 10)
    assert kinds(series) == {"units"}
    turned = raw.replace(b"TransformMatrix = 1 0 0", b"TransformMatrix = 2 0 0")
    (tmp_path / "a.mha").write_bytes(turned)
    assert kinds(series_in(tmp_path)[0]) == {"bad-affine"}


@pytest.mark.parametrize("seed", range(6))
def test_an_oblique_stack_with_rounded_positions_stays_whole(tmp_path, seed):
    generator = np.random.default_rng(seed)
    axes = np.linalg.qr(generator.standard_normal((3, 3)))[0][:2]
    ct_series(tmp_path, slices=60, size=(4, 4), orientation=axes.ravel(), tilt_deg=(0.0, 11.0)[seed % 2])

    def rounded(data, _):
        data.ImagePositionPatient = [f"{float(value):.1f}" for value in data.ImagePositionPatient]

    change_files(tmp_path, rounded)
    (series,) = series_in(tmp_path)
    assert len(series.slices) == 60
    assert "missing-slice" not in kinds(series)


def test_micro_ct_slices_are_not_at_one_place(tmp_path):
    ct_series(tmp_path, slices=12, spacing_mm=(0.018, 0.018, 0.018))
    (series,) = series_in(tmp_path)
    assert series.verdict is Verdict.EXACT
    assert series.grid.spacing_mm == pytest.approx((0.018,) * 3)


def test_cut_copies_beside_whole_slices_do_not_cost_the_series(folder):
    for path in list(folder.iterdir()):
        (folder / f"cut-{path.name}").write_bytes(path.read_bytes()[:-100])
    (series,) = series_in(folder)
    assert series.verdict is Verdict.REPAIRED
    assert len(series.slices) == 10


def test_a_cine_whose_trigger_times_differ_from_slice_to_slice_comes_apart(tmp_path):
    for phase in range(4):
        ct_series(
            tmp_path,
            slices=6,
            name=f"{phase}-{{:02d}}.dcm",
            seed=phase,
            SOPInstanceUID=lambda number, phase=phase: f"2.25.5.{phase}.{number + 1}",
            TriggerTime=lambda number, phase=phase: number_text(40 * phase + number % 3),
        )
    series = series_in(tmp_path)
    assert [len(one.slices) for one in series] == [6] * 4


def test_two_volumes_never_have_one_name(folder, tmp_path):
    other = tmp_path / "other"
    ct_series(other, slices=10, seed=5)
    change_files(other, lambda data, _: setattr(data, "StudyInstanceUID", "2.25.123"))
    names = [series.name for study in readers.scan(folder, other)[0] for series in study.series]
    assert len(set(names)) == len(names) == 2


def test_a_table_without_a_unit_gives_no_hounsfield_units(folder):
    def table(data, _):
        lut = item(LUTDescriptor=[4096, 0, 16], ModalityLUTType="US", LUTData=(np.arange(4096) * 3).astype("<u2").tobytes())
        lut[0]["LUTDescriptor"].VR, lut[0]["LUTData"].VR = "US", "OW"
        data.ModalityLUTSequence = lut

    change_files(folder, table)
    volume = readers.read(folder)
    assert volume.unit == ""
    assert volume.array[0, 0, 0] % 3 == 0


def test_an_empty_table_beside_a_rescale_is_no_table(folder):
    truth = readers.read(folder).array
    change_files(folder, lambda data, _: setattr(data, "ModalityLUTSequence", Sequence([])))
    assert np.array_equal(readers.read(folder).array, truth)


def test_slices_turned_within_the_tolerance_are_told(tmp_path):
    ct_series(tmp_path, slices=6, size=(512, 512), spacing_mm=(1, 1, 1))
    change_files(tmp_path, lambda data, number: setattr(data, "PixelSpacing", ["1.0009", "1"] if number > 2 else ["1", "1"]))
    (series,) = series_in(tmp_path)
    assert kinds(series) == {"slight-differences"}


def test_rescale_is_that_of_pydicom_slice_by_slice(folder):
    change_files(folder, lambda data, number: setattr(data, "RescaleSlope", str(1 + number)))
    by_place = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda data: data.ImagePositionPatient[2])
    expected = np.stack([apply_rescale(data.pixel_array, data) for data in by_place])
    assert np.array_equal(readers.read(folder).array, expected)


TWELVE_BITS = {
    "70": lambda values: imagecodecs.ljpeg_encode(values, bitspersample=12),
    "90": lambda values: imagecodecs.jpeg2k_encode(values, bitspersample=12, codecformat="j2k", reversible=True),
}


@pytest.mark.parametrize("syntax", TWELVE_BITS)
def test_fewer_bits_of_a_signed_picture_keep_their_sign(folder, syntax):
    """Twelve bits, coded as if they had no sign, under a header of 16 bits with one: the stream's highest bit is the sign."""
    signed = np.random.default_rng(0).integers(-2048, 2048, (20, 24)).astype(np.int16)
    code = bytes(TWELVE_BITS[syntax]((signed & 0xFFF).astype(np.uint16)))

    def coded(data, _):
        data.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{syntax}"
        data.BitsStored, data.HighBit, data.PixelRepresentation, data.RescaleIntercept = 16, 15, 1, 0
        data.PixelData = encapsulate([code])
        data["PixelData"].is_undefined_length = True

    change_files(folder, coded)
    assert np.array_equal(readers.read(folder).array[0], signed)
