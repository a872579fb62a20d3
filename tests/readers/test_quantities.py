"""Real-world values and the standardized uptake value, by formulas and by pydicom."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_rescale
from pydicom.sequence import Sequence

from medimg import readers
from medimg.values import Verdict
from tests.builders.ct_series import change_files, ct_series


@pytest.fixture
def folder(tmp_path):
    ct_series(tmp_path / "scan", slices=4)
    return tmp_path / "scan"


def mapped(slope, intercept, unit):
    mapping, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", "unit"
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, intercept
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 4095
    mapping.LUTLabel, mapping.MeasurementUnitsCodeSequence = "x", Sequence([code])
    return mapping


def as_mr(data):
    data.Modality, data.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    del data.RescaleSlope, data.RescaleIntercept


def the_series(folder):
    ((study,), _) = readers.scan(folder)
    (series,) = study.series
    return series


def test_a_mapping_scales_what_has_no_rescale(folder):
    def adc(data, number):
        as_mr(data)
        data.RealWorldValueMappingSequence = Sequence([mapped(0.5 + number, -3.0, "um2/s")])

    change_files(folder, adc)
    volume, series = readers.read(folder), the_series(folder)
    assert volume.unit == "um2/s"
    assert series.verdict is Verdict.NOTED
    assert "real-world-values" in {hazard.kind for hazard in series.hazards}
    by_place = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda data: data.ImagePositionPatient[2])
    expected = np.stack([data.pixel_array * data.RealWorldValueMappingSequence[0].RealWorldValueSlope - 3 for data in by_place])
    assert np.array_equal(volume.array, expected)


def test_hounsfield_units_by_mapping_are_hounsfield_units(folder):
    truth = readers.read(folder)

    def ct(data, _):
        data.RealWorldValueMappingSequence = Sequence(
            [mapped(float(data.RescaleSlope), float(data.RescaleIntercept), "[hnsf'U]")]
        )
        del data.RescaleSlope, data.RescaleIntercept

    change_files(folder, ct)
    volume = readers.read(folder)
    assert volume.unit == "HU"
    assert np.array_equal(volume.array, truth.array)


def test_a_rescale_counts_and_another_mapping_is_said(folder):
    change_files(folder, lambda data, _: data.__setattr__("RealWorldValueMappingSequence", Sequence([mapped(2.0, 1.0, "1")])))
    by_place = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda data: data.ImagePositionPatient[2])
    expected = np.stack([apply_rescale(data.pixel_array, data) for data in by_place])
    assert np.array_equal(readers.read(folder).array, expected)
    assert "was not applied" in " ".join(hazard.sentence for hazard in the_series(folder).hazards)


def test_several_mappings_are_said(folder):
    def both(data, _):
        as_mr(data)
        data.RealWorldValueMappingSequence = Sequence([mapped(2.0, 1.0, "1"), mapped(3.0, 1.0, "1")])

    change_files(folder, both)
    assert "several quantities" in the_series(folder).hazards[0].sentence


def pet(data, number, **other):
    data.Modality, data.SOPClassUID = "PT", "1.2.840.10008.5.1.4.1.1.128"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.Units, data.DecayCorrection, data.CorrectedImage = "BQML", "START", ["DECY", "ATTN", "SCAT"]
    data.PatientWeight, data.SeriesDate, data.SeriesTime = "75", "20240102", "101500"
    data.AcquisitionDate, data.AcquisitionTime = "20240102", f"1015{number:02d}"
    tracer = Dataset()
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = "350000000", "6586.2"
    tracer.RadiopharmaceuticalStartTime = "091500.00"
    for name, value in other.items():
        target = tracer if name.startswith("Radio") else data
        if value is None:
            delattr(target, name)
        else:
            setattr(target, name, value)
    data.RadiopharmaceuticalInformationSequence = Sequence([tracer])


@pytest.mark.parametrize(
    ("other", "waited_s"),
    [
        ({}, 3600),
        ({"DecayCorrection": "ADMIN"}, 0),
        ({"RadiopharmaceuticalStartDateTime": "20240102085500"}, 4800),
        ({"RadiopharmaceuticalStartTime": "231500"}, 11 * 3600),
    ],
)
def test_suv_is_activity_over_dose_by_weight(folder, other, waited_s):
    change_files(folder, lambda data, number: pet(data, number, **other))
    series = the_series(folder)
    assert series.suv_factor == pytest.approx(75_000 / (350e6 * 0.5 ** (waited_s / 6586.2)), rel=1e-9)
    assert readers.read(folder).unit == "BQML"
    assert "suv" in {hazard.kind for hazard in series.hazards}


@pytest.mark.parametrize(
    "other",
    [
        {"PatientWeight": None},
        {"PatientWeight": "0"},
        {"Units": "CNTS"},
        {"CorrectedImage": ["ATTN"]},
        {"DecayCorrection": "NONE"},
        {"RadionuclideTotalDose": "0"},
        {"RadionuclideHalfLife": None},
        {"RadiopharmaceuticalStartTime": None},
        {"SeriesTime": "101502"},  # after the first images: the time of a reconstruction
        {"RadiopharmaceuticalStartDateTime": "20240105085500"},
    ],
)
def test_no_suv_is_made_up(folder, other):
    change_files(folder, lambda data, number: pet(data, number, **other))
    assert the_series(folder).suv_factor is None
