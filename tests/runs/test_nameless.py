"""Names of files and folders can name a patient: no written sentence holds one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medimg.runs._nameless import nameless
from medimg.values import Hazard, Skipped, Study, Verdict
from tests.builders.study import study_result


def test_no_sentence_holds_the_name_of_a_file_or_folder(tmp_path):
    result = study_result(tmp_path / "scan", heat=False)
    files = (Path("/scans/Miller_Jane_1950/jane_1.dcm"), Path("/scans/Miller_Jane_1950/jane_10.dcm"))
    hazard = Hazard(
        "truncated", Verdict.REPAIRED, "jane_10.dcm is cut short; it was left out.", ("Miller_Jane_1950/jane_10.dcm",)
    )
    other = replace(result.series, name="series-b", files=(Path("/scans/Miller_Jane_1950/b/jane_b.dcm"),))
    study = Study(name="study-1", series=(replace(result.series, files=files), other))
    named = replace(
        result,
        series=replace(result.series, files=files, hazards=(hazard,)),
        other_series=(Skipped(what="series-b", reason="jane_b.dcm is a mosaic."),),
    )
    written = nameless(named, study)
    said = str(written.series.to_dict()) + str([item.to_dict() for item in written.other_series])
    assert "Jane" not in said
    assert "jane" not in said
    assert "file 2 is cut short" in said
    assert written.series.files == files, "what the writers of DICOM objects read stays"
