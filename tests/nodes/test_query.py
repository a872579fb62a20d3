"""A question means one patient's studies and tells nobody whose."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from medimg.errors import OptionError
from medimg.nodes._query import Query, is_address, parse

SECRET = "Mustermann4711"


def test_an_address_is_a_node_and_a_question():
    node, query = parse(f"pacs://main?PatientID={SECRET}&StudyDate=20240101-&Modality=CT&AccessionNumber=A%20%261")
    assert node == "main"
    assert query.study_keys == {
        "PatientID": SECRET,
        "AccessionNumber": "A &1",
        "StudyDate": "20240101-",
        "ModalitiesInStudy": "CT",
    }
    assert is_address("pacs://x?y")
    assert not is_address("scan/pacs")
    for wrong in ("PACS://x?PatientID=1", "pacs:/x?PatientID=1", Path("pacs://x?PatientID=1")):
        assert is_address(wrong), "as a path it would be named in an error"
        with pytest.raises(OptionError, match="an address like that"):
            parse(str(wrong))


@pytest.mark.parametrize(
    "address",
    [
        "pacs://",
        "pacs://main",
        "pacs://main?",
        f"pacs://?PatientID={SECRET}",
        f"pacs://main/x?PatientID={SECRET}",
        f"pacs://main?PatientID={SECRET}#x",
        f"pacs://main?PatientID={SECRET}&PatientID=2",
        "pacs://main?PatientID=",
        f"pacs://main?{SECRET}",
        f"pacs://main?PatientName={SECRET}",
        f"pacs://main?PatientID={SECRET}*",
        f"pacs://main?PatientID={SECRET}%5C2",
        f"pacs://main?PatientID={SECRET}%0A",
        f"pacs://main?PatientID={SECRET * 5}",
        f"pacs://main?AccessionNumber={SECRET}%3F",
        f"pacs://main?StudyDate={SECRET}",
        "pacs://main?StudyDate=2024",
        f"pacs://main?PatientID=1&Modality={SECRET}",
        f"pacs://main?StudyInstanceUID={SECRET}",
        "pacs://main?Modality=CT",
        "pacs://main?SeriesInstanceUID=1.2",
    ],
)
def test_what_cannot_be_is_refused_and_not_repeated(address):
    with pytest.raises(OptionError) as caught:
        parse(address)
    told = "".join(traceback.format_exception_only(caught.value))
    assert SECRET not in told
    assert "Give " in told


def test_it_shows_nothing_of_itself():
    assert SECRET not in repr(Query(patient_id=SECRET, accession_number=SECRET))


STUDY = {
    "PatientID": "4711 ",
    "AccessionNumber": "A1",
    "StudyDate": "20240115",
    "ModalitiesInStudy": "CT\\SEG",
    "StudyInstanceUID": "1.2",
}


@pytest.mark.parametrize(
    ("keys", "fits"),
    [
        ({"patient_id": "4711"}, True),
        ({"patient_id": "471"}, False),
        ({"patient_id": "4711", "accession_number": "A2"}, False),
        ({"patient_id": "4711", "modality": "CT"}, True),
        ({"patient_id": "4711", "modality": "MR"}, False),
        ({"study_uid": "1.2"}, True),
        ({"study_uid": "1.2.3"}, False),
        ({"study_date": "20240115"}, True),
        ({"study_date": "20240114"}, False),
        ({"study_date": "20240101-20240115"}, True),
        ({"study_date": "20240116-"}, False),
        ({"study_date": "20240115-"}, True),
        ({"study_date": "-20240114"}, False),
        ({"study_date": "-20240115"}, True),
    ],
)
def test_an_answer_to_another_question_is_seen(keys, fits):
    assert Query(**keys).fits_study(STUDY) is fits
    assert not Query(**keys).fits_study({})


def test_a_peer_that_does_not_list_modalities_is_believed_and_its_series_are_not():
    query = Query(patient_id="4711", modality="CT")
    assert query.fits_study({"PatientID": "4711"})
    assert query.fits_series({"Modality": "CT"})
    assert not query.fits_series({"Modality": "SEG"})
    assert not query.fits_series({})
    assert not Query(patient_id="1", series_uid="1.2").fits_series({"SeriesInstanceUID": "1.3"})
