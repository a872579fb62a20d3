"""The example study is legal DICOM, and readers that are not ours see the same scan in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medimg.phantoms import chest


def tool(name):
    """Find a validator beside this Python or on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def complaints(name, *paths):
    run = subprocess.run([tool(name), *map(str, paths)], capture_output=True, text=True, check=False)
    return [line for line in (run.stdout + run.stderr).splitlines() if line.startswith(("Error", "Warning"))]


@pytest.mark.skipif(tool("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
def test_dciodvfy_finds_no_error_and_no_warning(example_dicoms):
    paths = sorted(example_dicoms.glob("*.dcm"))
    assert paths
    assert [(path.name, line) for path in paths for line in complaints("dciodvfy", path)] == []


@pytest.mark.skipif(tool("dcentvfy") is None, reason="dcentvfy (dicom3tools) is not installed")
def test_dcentvfy_finds_one_patient_study_and_series(example_dicoms):
    assert complaints("dcentvfy", *sorted(example_dicoms.glob("*.dcm"))) == []


def test_itk_reads_the_same_scan(example_dicoms):
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(example_dicoms)))
    image = reader.Execute()
    scan, _ = chest()
    assert image.GetOrigin() == pytest.approx(scan.grid.origin_mm)
    assert image.GetSpacing() == pytest.approx(scan.grid.spacing_mm[::-1])
    assert image.GetDirection() == pytest.approx(np.eye(3).ravel())
    assert np.array_equal(sitk.GetArrayFromImage(image), scan.array)


def test_medimg_reads_it_exactly_and_passes_the_truth_by_in_words(example_dicoms):
    from medimg.readers import read_series, scan
    from medimg.values import Verdict

    studies, skipped = scan(example_dicoms)
    assert [len(study.series) for study in studies] == [1]
    series = studies[0].series[0]
    assert (len(series.slices), series.verdict) == (
        json.loads((example_dicoms / "truth.json").read_text())["slices"],
        Verdict.EXACT,
    )
    assert [each.what for each in skipped] == ["truth.json"]
    volume, made = read_series(series), chest()[0]
    assert volume.grid == made.grid
    assert np.array_equal(volume.array, made.array)
