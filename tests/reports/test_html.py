"""The report says all of it, to people, from one file that loads nothing and runs nothing."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from medimg.reports import html as report
from medimg.reports import seg
from medimg.values import Code, Hazard, Mask, Skipped, Verdict
from tests.builders.study import study_result

PATIENT = ("Mustermann", "Jörg", "PID4711", "19500101", "ACC4711", "20240102")


class Page(HTMLParser):
    """The tags of a page, and whether they close."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return study_result(tmp_path_factory.mktemp("source"))


def written(result, folder):
    (path,) = report.write(result, folder)
    return path.read_text(encoding="utf-8")


def test_it_shows_every_finding_with_its_numbers_and_pictures(result, tmp_path):
    page = Page(written(result, tmp_path))
    assert not page.open
    assert "2 findings" in page.text
    for finding in result.findings:
        measures = finding.measures
        assert f"{measures.longest_diameter_mm:.1f} × {measures.short_diameter_mm:.1f}" in page.text
        assert f"{measures.volume_mm3:.0f}" in page.text
        assert f"{finding.detection_probability:.2f}" in page.text
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 1 + 2 * 3
    assert len(set(pictures)) == len(pictures)
    assert "Grad-CAM" in page.text


def test_it_says_that_it_is_for_research_and_what_suspicion_is(result, tmp_path):
    text = Page(written(result, tmp_path)).text
    assert "not a medical device" in text
    assert "not a probability of cancer" in text
    unsaid = replace(result, provenance=replace(result.provenance, research_only=""))
    assert "not a medical device" in Page(written(unsaid, tmp_path)).text


def test_it_says_what_made_it(result, tmp_path):
    text = Page(written(result, tmp_path)).text
    for word in (
        "lung-nodule",
        "1.0.0",
        "ab" * 32,
        "torch 2.13.0",
        "detect_threshold = 0.5",
        "series-0123456789ab",
        "2.5 × 0.8 × 0.7",
    ):
        assert word in text


def test_it_loads_nothing_and_runs_nothing(result, tmp_path):
    page = Page(written(result, tmp_path))
    assert not {"script", "link", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value.startswith(("data:image/png;base64,", "#"))
    assert "default-src 'none'" in str(page.tags)
    assert "url(" not in written(result, tmp_path)


def test_what_stands_in_a_header_stays_text(result, tmp_path):
    trick = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
    hazard = Hazard("odd", Verdict.NOTED, trick)
    series = replace(result.series, manufacturer=trick, kernel=trick, hazards=(hazard,))
    text = written(replace(result, series=series, other_series=(Skipped(what=trick, reason=trick),)), tmp_path)
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "onerror" not in {name for _, attributes in page.tags for name in attributes}
    assert html.escape(trick, quote=False).split("&gt;")[0] in text


def test_no_finding_is_said_plainly(result, tmp_path):
    empty = Mask(array=np.zeros(result.volume.shape, dtype=np.uint8), grid=result.volume.grid)
    left_out = Skipped(what="slices 1 to 4", reason="The lungs are cut.")
    prediction = replace(result.prediction, findings=(), mask=empty, not_evaluated=(left_out,))
    page = Page(written(replace(result, prediction=prediction, heatmaps=()), tmp_path))
    assert "No finding" in page.text
    assert "does not mean that there is nothing" in page.text
    assert "The lungs are cut." in page.text
    assert "Key slices" not in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1


def test_what_was_not_used_and_what_was_odd_is_named(result, tmp_path):
    hazard = Hazard("missing-slice", Verdict.REPAIRED, "One slice is missing at z = 3 mm.")
    given = replace(
        result,
        series=replace(result.series, hazards=(hazard,)),
        other_series=(Skipped(what="series-2", reason="Sharp kernel."),),
        prediction=replace(result.prediction, remarks=("The lungs reach the end.",)),
    )
    text = Page(written(given, tmp_path)).text
    for sentence in ("One slice is missing at z = 3 mm.", "Sharp kernel.", "The lungs reach the end.", "repaired"):
        assert sentence in text


def test_without_explanation_there_is_no_heat(result, tmp_path):
    page = Page(written(replace(result, heatmaps=()), tmp_path))
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1 + 2 * 2
    assert "Grad-CAM" not in page.text


def test_the_patient_is_named_only_on_request(result, tmp_path):
    text = written(result, tmp_path)
    assert not [word for word in PATIENT if word in text]
    named = written(replace(result, identify=True), tmp_path)
    assert all(word in named for word in PATIENT)


def test_a_format_without_names_says_so(tmp_path):
    result = replace(study_result(tmp_path / "source", dicom=False), identify=True)
    assert "names nobody" in Page(written(result, tmp_path)).text


def test_other_reports_need_no_pictures(result):
    assert "volume" in report.NEEDS
    assert "volume" not in seg.NEEDS


def test_the_legend_says_which_scores_are_calibrated_where_some_findings_are_of_another_kind(result, tmp_path):
    first, *others = result.findings
    mass = replace(
        first,
        kind=Code("SCT", "4147007", "Mass"),
        scores=tuple(replace(score, calibrated=False) for score in first.scores),
    )
    rest = [replace(one, scores=tuple(replace(score, calibrated=True) for score in one.scores)) for one in others]
    mixed = replace(result, prediction=replace(result.prediction, findings=(mass, *rest)))
    page = Page(written(mixed, tmp_path)).text
    assert "this is a mass or a nodule at all" in page
    assert "Not calibrated where its number says so." in page
