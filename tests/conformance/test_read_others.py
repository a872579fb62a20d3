"""What another maker's tools write (dcmqi: SEG, labelmap, SR) is read where they wrote it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import medimg
from medimg.values import Mask
from medimg.writers import write_nrrd
from tests.builders.seg_cases import GEOMETRIES, expected
from tests.builders.study import NODULE, study_result

NOT_DCMQIS = ("tilted", "slices missing")  # it takes the axes of a volume as straight, and slices as even


def tool(name: str) -> str:
    found = shutil.which(name) or str(Path(sys.executable).parent / name)
    if not Path(found).exists():
        pytest.skip(f"{name} (dcmqi) is not installed")
    return found


def run(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def code(value, scheme, meaning):
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def segment(label):
    return {
        "labelID": label,
        "SegmentDescription": f"ball {label}",
        "SegmentLabel": f"ball {label}",
        "SegmentAlgorithmType": "SEMIAUTOMATIC",
        "SegmentAlgorithmName": "region growing",
        "SegmentedPropertyCategoryCodeSequence": code("49755003", "SCT", "Morphologically Abnormal Structure"),
        "SegmentedPropertyTypeCodeSequence": code("27925004", "SCT", "Nodule"),
        "TrackingIdentifier": f"ball {label}",
        "TrackingUniqueIdentifier": f"1.2.3.{label}",
    }


def segmented(result, folder, *extra):
    """Return the SEG that dcmqi makes of a result's labels."""
    writer = tool("itkimage2segimage")
    mask = result.prediction.mask
    image = write_nrrd(Mask(array=mask.array, grid=mask.grid), folder / "labels.nrrd")
    facts = {
        "ContentCreatorName": "Reader^One",
        "SeriesDescription": "by dcmqi",
        "SeriesNumber": "300",
        "InstanceNumber": "1",
        "segmentAttributes": [[segment(1), segment(2)]],
    }
    (folder / "seg.json").write_text(json.dumps(facts))
    words = ["--inputImageList", image, "--inputDICOMDirectory", folder / "source", "--inputMetadata", folder / "seg.json"]
    run(writer, *words, "--outputDICOM", folder / "dcmqi.dcm", *extra)
    return folder / "dcmqi.dcm"


@pytest.mark.parametrize("geometry", [name for name in GEOMETRIES if name not in NOT_DCMQIS and "enhanced" not in name])
def test_a_seg_of_dcmqi_lies_where_it_was_drawn(tmp_path, geometry):
    result = study_result(tmp_path / "source", heat=False, **GEOMETRIES[geometry])
    path = segmented(result, tmp_path)
    read = medimg.read_seg(path, scan=result.series)
    assert np.array_equal(read.array, expected(result))
    assert read.labels == {1: NODULE, 2: NODULE}
    assert (read.names[2], read.segments[2].algorithm) == ("ball 2", "region growing")
    assert read.segments[2].tracking_uid == "1.2.3.2"


def test_a_labelmap_of_dcmqi_lies_where_it_was_drawn(tmp_path):
    result = study_result(tmp_path / "source", heat=False)
    path = segmented(result, tmp_path, "--segmentationType", "labelmap", "--useLabelIDAsSegmentNumber")
    assert np.array_equal(medimg.read_seg(path, scan=result.series).array, result.prediction.mask.array)


def test_a_report_of_dcmqi_goes_as_far_as_it_says(tmp_path):
    result = study_result(tmp_path / "source", heat=False)
    seg = segmented(result, tmp_path)
    import pydicom

    dataset = pydicom.dcmread(seg, stop_before_pixels=True)
    first = pydicom.dcmread(result.series.slices[0].file, stop_before_pixels=True)
    names = [source.file.name for source in result.series.slices]
    facts = {
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/sr-tid1500-schema.json#",
        "SeriesDescription": "Measurements",
        "SeriesNumber": "1001",
        "InstanceNumber": "1",
        "compositeContext": [seg.name],
        "imageLibrary": names,
        "observerContext": {"ObserverType": "PERSON", "PersonObserverName": "Reader^One"},
        "VerificationFlag": "UNVERIFIED",
        "CompletionFlag": "COMPLETE",
        "activitySession": "1",
        "timePoint": "1",
        "Measurements": [
            {
                "TrackingIdentifier": "ball 1",
                "TrackingUniqueIdentifier": "1.2.3.1",
                "ReferencedSegment": 1,
                "SourceSeriesForImageSegmentation": first.SeriesInstanceUID,
                "segmentationSOPInstanceUID": dataset.SOPInstanceUID,
                "Finding": code("27925004", "SCT", "Nodule"),
                "FindingSite": code("39607008", "SCT", "Lung"),
                "measurementItems": [
                    {
                        "value": "526.4",
                        "quantity": code("118565006", "SCT", "Volume"),
                        "units": code("mm3", "UCUM", "cubic millimeter"),
                    },
                    {
                        "value": "40",
                        "quantity": code("112031", "DCM", "Attenuation Coefficient"),
                        "units": code("[hnsf'U]", "UCUM", "Hounsfield unit"),
                        "derivationModifier": code("373098007", "SCT", "Mean"),
                    },
                ],
            }
        ],
    }
    (tmp_path / "sr.json").write_text(json.dumps(facts))
    words = ["--inputMetadata", tmp_path / "sr.json", "--inputImageLibraryDirectory", tmp_path / "source"]
    words += ["--inputCompositeContextDirectory", tmp_path, "--outputDICOM", tmp_path / "dcmqi_sr.dcm"]
    run(tool("tid1500writer"), *words)
    report = medimg.read_sr(tmp_path / "dcmqi_sr.dcm", segmentation=seg)
    (group,) = report.groups
    assert (group.name, group.kind, group.site.meaning) == ("ball 1", NODULE, "Lung")
    assert group.segment == (dataset.SOPInstanceUID, 1)
    assert group.missing == ("long axis", "short axis")
    assert group.center_mm == pytest.approx(result.findings[0].center_mm, abs=0.05)
    assert [(one.value, one.derivation and one.derivation.meaning) for one in group.measurements] == [
        (526.4, None),
        (40.0, "Mean"),
    ]
