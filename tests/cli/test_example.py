"""The README's first line: the phantom study from folder to files, with the real model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from medimg.cli import main


@pytest.fixture(scope="module")
def results(example_dicoms, tmp_path_factory):
    output = tmp_path_factory.mktemp("results")
    assert main(["infer", str(example_dicoms), "--output", str(output), "--quiet"]) == 0
    (folder,) = output.iterdir()
    return folder


def test_every_file_is_there(results):
    names = {path.name for path in results.iterdir()}
    findings = json.loads((results / "findings.json").read_text())["findings"]
    keys = {f"key_{finding['id']}.dcm" for finding in findings}
    assert names == {"findings.json", "seg.dcm", "sr.dcm", *keys, "heatmap.nii.gz", "report.html", "run.json"}


def test_the_seg_holds_the_findings_where_they_are(results):
    import highdicom as hd

    findings = json.loads((results / "findings.json").read_text())["findings"]
    seg = hd.seg.segread(results / "seg.dcm")
    assert seg.number_of_segments == len(findings)
    volume = seg.get_volume(combine_segments=True, skip_overlap_checks=True)
    for number, finding in enumerate(findings, 1):
        index = np.argwhere(volume.array == number)
        center = volume.map_indices_to_reference(index).mean(axis=0)
        np.testing.assert_allclose(center, finding["center_mm"], atol=0.1)


def test_every_heatmap_is_hottest_at_its_finding(results):
    import nibabel

    findings = json.loads((results / "findings.json").read_text())["findings"]
    image = nibabel.load(results / "heatmap.nii.gz")
    assert image.shape[3] == len(findings)
    for finding in findings:
        channel = np.asarray(image.dataobj[..., finding["id"] - 1])
        assert channel.max() > 0
        center = np.average(np.argwhere(channel > 0), axis=0, weights=channel[channel > 0])
        place = (image.affine @ [*center, 1])[:3] * [-1, -1, 1]  # RAS to LPS
        assert np.linalg.norm(place - finding["center_mm"]) < max(8.0, finding["longest_diameter_mm"])


def test_the_report_shows_each_finding_with_its_heatmap(results):
    page = (results / "report.html").read_text()
    findings = json.loads((results / "findings.json").read_text())["findings"]
    assert page.count("data:image/png;base64,") >= 3 * len(findings)
    assert "Grad-CAM" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="http' not in page
