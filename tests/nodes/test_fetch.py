"""A study comes whole or not at all, whatever a node lists, sends, or calls it."""

from __future__ import annotations

import logging
import os
import stat
import traceback
from copy import deepcopy
from threading import get_ident

import pytest

from medimg.errors import NodeError, OptionError, ScanError, WriteError
from medimg.nodes import DimseNode, WebNode, fetch
from tests.builders.answering import BOUNDARY, archive, pacs
from tests.builders.objects import PATIENT, STUDY, write_object, write_objects

ID = "PID-4711"


@pytest.fixture
def objects(tmp_path):
    """Five instances of a study, as data sets."""
    import pydicom

    return [pydicom.dcmread(path) for path in write_objects(tmp_path / "peer", 5, side=32)]


def other(tmp_path, number=77, **changes):
    import pydicom

    return pydicom.dcmread(write_object(tmp_path / "other.dcm", number, **{"side": 32, **changes}))


@pytest.fixture(params=["dimse", "web"])
def node_with(request):
    """Give a function that starts a node of either kind, listing some data sets and sending others."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(listed, sent=None, **options):
            if request.param == "dimse":
                return stack.enter_context(pacs(listed, sent, **options))
            return stack.enter_context(archive(listed, sent, **options))[0]

        yield start


def contents(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_study_comes_whole_under_names_of_ours(node_with, objects, tmp_path):
    told = []
    got = fetch(node_with(objects), output=tmp_path / "out", patient_id=ID, progress=lambda *step: told.append(step))
    (study,) = got.studies
    assert (study.is_whole, study.expected, study.received) == (True, 5, 5)
    names = contents(tmp_path / "out")
    assert [name.rpartition("/")[2] for name in names] == [f"{number:06}.dcm" for number in range(1, 6)]
    assert {stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in names} == {0o600}
    assert told[-1] == ("fetch", 5, 5)
    shown = str(got.to_dict() | {"studies": [{**one, "folder": ""} for one in got.to_dict()["studies"]]})
    assert not any(word in shown for word in (ID, PATIENT, STUDY))
    import pydicom

    uids = {str(pydicom.dcmread(tmp_path / "out" / name).SOPInstanceUID) for name in names}
    assert uids == {str(one.SOPInstanceUID) for one in objects}


def test_a_study_that_comes_in_part_is_said_and_nothing_of_it_is_kept(node_with, objects, tmp_path):
    got = fetch(node_with(objects, objects[:3]), output=tmp_path / "out", patient_id=ID)
    (study,) = got.studies
    assert not got.is_whole
    assert study.folder is None
    assert "lists 5 instances of it and sent 3" in study.reason
    assert contents(tmp_path) == contents(tmp_path / "peer") or contents(tmp_path / "out") == []


def test_what_was_not_asked_for_is_not_kept(node_with, objects, tmp_path):
    strangers = [other(tmp_path, SeriesInstanceUID=f"{STUDY}.7"), other(tmp_path, 1, study=f"{STUDY}.9"), objects[0]]
    got = fetch(node_with(objects, [*objects[:4], *strangers]), output=tmp_path / "out", patient_id=ID)
    assert (got.studies[0].received, got.studies[0].is_whole) == (4, False)
    assert "not those that it was asked for" in got.studies[0].reason
    whole = fetch(node_with(objects, [*strangers, *objects]), output=tmp_path / "whole", patient_id=ID)
    assert whole.is_whole
    assert len(contents(tmp_path / "whole")) == 5


def test_a_node_that_sends_more_of_a_series_than_it_lists_has_listed_a_part(node_with, objects, tmp_path):
    """Some cut a list off in silence: the run on what they list would be one on a part of the scan."""
    (study,) = fetch(node_with(objects[:3], objects), output=tmp_path / "out", patient_id=ID).studies
    assert (study.is_whole, study.received, study.expected) == (False, 3, 5)
    assert "It sent 2 that it did not list" in study.reason
    assert contents(tmp_path / "out") == []


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_uid_that_is_a_path_reaches_no_path(node_with, objects, tmp_path):
    bad = other(tmp_path)
    bad["SOPInstanceUID"]._value = "../../../escaped"
    bad.file_meta["MediaStorageSOPInstanceUID"]._value = "../../../escaped"
    got = fetch(node_with(objects, [bad, *objects]), output=tmp_path / "a" / "b" / "c" / "out", patient_id=ID)
    assert got.is_whole
    assert not list(tmp_path.rglob("escaped*"))
    with pytest.raises(NodeError, match="no UID"):
        fetch(node_with([bad]), output=tmp_path / "out", patient_id=ID)


def test_another_patients_study_is_left_out(node_with, objects, tmp_path):
    with pytest.raises(ScanError, match=r"has no study that fits the question\. Check"):
        fetch(node_with(objects), output=tmp_path / "out", patient_id="PID-471")
    with pytest.raises(ScanError, match="letter by letter"):
        fetch(node_with(objects), output=tmp_path / "out", patient_id=ID, accession_number="ACC")
    assert not (tmp_path / "out").exists()


def test_only_series_of_the_modality_come(node_with, objects, tmp_path):
    seg = other(tmp_path, Modality="SEG", SeriesInstanceUID=f"{STUDY}.8")
    got = fetch(node_with([*objects, seg]), output=tmp_path / "out", patient_id=ID, modality="OT")
    assert [series.modality for series in got.studies[0].series] == ["OT"]
    with pytest.raises(ScanError, match="no study"):
        fetch(node_with([*objects, seg]), output=tmp_path / "none", patient_id=ID, modality="CT")


@pytest.mark.parametrize(("limit", "value"), [("limit_studies", 1), ("limit_instances", 4), ("limit_mib", 0)])
def test_limits_are_kept_before_anything_comes(node_with, objects, tmp_path, limit, value):
    second = other(tmp_path, study=f"{STUDY}.9")
    with pytest.raises(OptionError, match=f"{limit} cannot be {value}"):
        fetch(node_with([*objects, second]), output=tmp_path / "out", patient_id=ID, **{limit: value})
    assert not (tmp_path / "out").exists()


def test_more_bytes_than_the_limit_end_it(node_with, objects, tmp_path):
    huge = other(tmp_path, side=1400)
    with pytest.raises(NodeError, match="sends more than 1 MiB"):
        fetch(node_with(objects, [huge]), output=tmp_path / "out", patient_id=ID, limit_mib=1)
    assert contents(tmp_path / "out") == []


def test_a_folder_that_is_there_is_not_replaced(node_with, objects, tmp_path):
    node = node_with(objects)
    (folder,) = [study.folder for study in fetch(node, output=tmp_path / "out", patient_id=ID).studies]
    before = contents(folder)
    with pytest.raises(WriteError, match="is there already"):
        fetch(node, output=tmp_path / "out", patient_id=ID)
    assert contents(folder) == before


def test_a_disk_that_refuses_is_said(node_with, objects, tmp_path, monkeypatch):
    import errno

    real = os.open

    def refusing(path, *arguments, **options):
        if str(path).endswith("000003.dcm"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(WriteError, match=r"No space left on device\. Free some space"):
        fetch(node_with(objects), output=tmp_path / "out", patient_id=ID)
    monkeypatch.undo()
    assert contents(tmp_path / "out") == []


def test_a_node_that_is_down_is_said(tmp_path):
    from tests.builders.orthanc import closed_port

    for node in (
        DimseNode(name="peer", host="127.0.0.1", port=closed_port(), ae_title="PEER", timeout_s=2),
        WebNode(name="peer", url=f"http://127.0.0.1:{closed_port()}/dicom-web", timeout_s=2),
    ):
        with pytest.raises(NodeError, match="peer is down") as caught:
            fetch(node, output=tmp_path / "out", patient_id="Mustermann4711")
        assert "4711" not in "".join(traceback.format_exception_only(caught.value))


def test_a_pacs_that_names_no_classes_is_asked_with_the_usual_ones(objects, tmp_path):
    with pacs(objects, says_classes=False) as node:
        assert fetch(node, output=tmp_path / "out", patient_id=ID).is_whole


def test_a_get_that_is_refused_is_said_with_its_status(objects, tmp_path):
    with pacs(objects, get_status=0xA701) as node:
        (study,) = fetch(node, output=tmp_path / "out", patient_id=ID).studies
    assert "C-GET status 0xA701" in study.reason


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", "text/html"),
        (b"", f"multipart/related; boundary={BOUNDARY}"),
        (f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\nDICM".encode(), f"multipart/related; boundary={BOUNDARY}"),
        (f"--{BOUNDARY}--\r\n".encode(), f"multipart/related; boundary={BOUNDARY}"),
        (f"--{BOUNDARY}\r\n\r\nno DICOM\r\n--{BOUNDARY}--\r\n".encode(), f"multipart/related; boundary={BOUNDARY}"),
    ],
)
def test_an_answer_that_is_no_multipart_of_instances_is_a_part(objects, tmp_path, body, kind):
    with archive(objects, body=body, kind=kind) as (node, _):
        (study,) = fetch(node, output=tmp_path / "out", patient_id=ID).studies
    assert "sent 0" in study.reason
    assert contents(tmp_path / "out") == []


def test_an_answer_without_an_end_is_ended(objects, tmp_path):
    def endless():
        yield f"--{BOUNDARY}\r\n\r\n".encode()
        while True:
            yield b"x" * 65536

    with (
        archive(objects, body=endless) as (node, _),
        pytest.raises(NodeError, match="more than 2 MiB"),
    ):
        fetch(node, output=tmp_path / "out", patient_id=ID, limit_mib=2)
    assert contents(tmp_path / "out") == []


def test_an_archive_that_does_not_know_the_key_answers_everything_and_gets_nobody_elses_study(objects, tmp_path):
    with archive(objects, study={"00100020": {"vr": "LO", "Value": ["SOMEBODY-ELSE"]}}) as (node, _), pytest.raises(ScanError):
        fetch(node, output=tmp_path / "out", patient_id=ID)


def test_values_are_escaped_in_the_address(objects, tmp_path):
    with archive(objects) as (node, asked), pytest.raises(ScanError):
        fetch(node, output=tmp_path / "out", patient_id="a&limit=1#x y")
    assert "PatientID=a%26limit%3D1%23x+y" in asked[0]


def test_a_study_behind_many_that_do_not_fit_comes_all_the_same(node_with, objects, tmp_path):
    """A peer that passes over the keys answers with everything; the limit is for what fits."""
    others = [other(tmp_path, study=f"1.2.3.{number}", PatientID="PID-0815") for number in range(6)]
    got = fetch(node_with([*others, *objects]), output=tmp_path / "out", patient_id=ID, limit_studies=1)
    assert [(study.is_whole, study.received) for study in got.studies] == [(True, 5)]
    assert got.left_out == 6


def test_what_has_another_patients_id_in_it_is_not_kept(node_with, objects, tmp_path):
    """The node lists the study under one patient and sends it with the ID of another: it is not known whose it is."""
    strange = [deepcopy(one) for one in objects]
    for one in strange[:1]:
        one.PatientID = "PID-0815"
    (study,) = fetch(node_with(objects, strange), output=tmp_path / "out", study_uid=STUDY).studies
    assert (study.is_whole, study.received, study.expected) == (False, 4, 5)
    assert "another patient's ID" in study.reason
    assert "PID" not in study.reason
    assert contents(tmp_path / "out") == []


def test_an_id_that_is_not_ascii_is_compared_as_text(node_with, objects, tmp_path):
    for one in objects:
        one.SpecificCharacterSet, one.PatientID = "ISO_IR 192", "Ä-4711"
    (study,) = fetch(node_with(objects), output=tmp_path / "out", patient_id="Ä-4711").studies
    assert study.is_whole, study.reason


def test_a_list_that_is_shorter_than_the_node_says_is_refused(node_with, objects, tmp_path):
    """Fewer instances listed than counted: a part of the series would pass for the whole."""
    sent = deepcopy(objects)
    for one in objects:
        one.NumberOfSeriesRelatedInstances = 9
    with pytest.raises(NodeError, match="holds 9 instances and lists 5 instances"):
        fetch(node_with(objects, sent), output=tmp_path / "out", patient_id=ID)


def test_an_archive_that_shows_its_first_page_for_ever_lists_nothing_whole(objects, tmp_path, monkeypatch):
    from medimg.nodes import _fetch_web

    monkeypatch.setattr(_fetch_web, "PAGE", 3)
    with archive(objects, page=lambda rows: rows[:3]) as (node, _), pytest.raises(NodeError, match="first 3 answers"):
        fetch(node, output=tmp_path / "out", patient_id=ID)


def test_an_archive_that_cuts_its_lists_and_passes_over_the_offset_lists_nothing_whole(objects, tmp_path):
    """It shows 12 studies whatever is asked, fewer than it was asked for: a list that looks whole, and has no end."""
    many = [deepcopy(objects[0]) for _ in range(15)]
    for number, one in enumerate(many):
        one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID = (f"1.2.{level}.{number + 1}" for level in (1, 2, 3))
    told = pytest.raises(NodeError, match=r"shows its first 12 answers again .* Ask for less, or for one study by its UID")
    with archive(many, page=lambda rows: rows[:12]) as (node, _), told:
        fetch(node, output=tmp_path / "out", patient_id=ID)
    assert contents(tmp_path / "out") == []


@pytest.mark.parametrize("counted", [True, False])
def test_an_archive_that_passes_over_the_offset_lists_all_that_it_counts(objects, tmp_path, counted):
    many = [deepcopy(objects[0]) for _ in range(12)]
    for number, one in enumerate(many):
        one.SOPInstanceUID = f"1.2.3.{number + 1}"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        if counted:
            one.NumberOfSeriesRelatedInstances = 12
    with archive(many, page=lambda rows: rows) as (node, _):
        if counted:
            (study,) = fetch(node, output=tmp_path / "out", study_uid=STUDY).studies
            assert study.is_whole, study.reason
        else:
            with pytest.raises(NodeError, match="shows its first 12 answers again"):
                fetch(node, output=tmp_path / "out", study_uid=STUDY)


@pytest.mark.parametrize("uid", [None, {"vr": "UI"}])
def test_an_answer_without_a_uid_is_not_passed_over(objects, tmp_path, uid):
    def page(rows):
        if "00080018" in rows[0] and len(rows) == 5:
            rows[2] = {**rows[2], "00080018": uid}
        return rows

    with archive(objects, page=page) as (node, _), pytest.raises(NodeError, match="without a SOPInstanceUID"):
        fetch(node, output=tmp_path / "out", patient_id=ID)


def test_a_disk_that_takes_a_part_of_a_piece_keeps_no_part(tmp_path, objects):
    """A disk that becomes full in the middle of a piece takes what fits, and says so by the number only."""
    resource = pytest.importorskip("resource")
    from medimg.nodes._fetched import Listed
    from medimg.nodes._receive import Budget, Receiver

    one, path = objects[0], next((tmp_path / "peer").rglob("*.dcm"))
    content = path.read_bytes() + bytes(1 << 16)
    listed = Listed(study_uid=STUDY, series_uid=str(one.SeriesInstanceUID), modality="OT", instances={})
    (tmp_path / "folder").mkdir()
    receiver = Receiver(listed, tmp_path / "folder", budget=Budget("peer", 1), tell=lambda _: None)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) - 1000, before[1]))
    try:
        with pytest.raises(WriteError), receiver.file() as write:
            write(content)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert contents(tmp_path / "folder") == []


def test_a_study_that_still_arrives_is_no_whole_one(objects, tmp_path):
    """Four of five are there when it is listed, and the fifth when the four have come."""
    asked_for = []

    def page(rows):
        if len(rows) > 1:  # instances: a page and an empty one, first before the pull and then after it
            asked_for.append(len(rows))
            return [rows[:4], [], rows, []][len(asked_for) - 1]
        return rows

    with archive(objects, page=page) as (node, _):
        (study,) = fetch(node, output=tmp_path / "out", patient_id=ID).studies
    assert (study.is_whole, study.received, study.expected) == (False, 4, 5)
    assert "came to the node meanwhile" in study.reason
    assert contents(tmp_path / "out") == []


def test_a_series_without_instances_is_not_passed_over(objects, tmp_path):
    empty = archive(objects, page=lambda rows: rows if len(rows) == 1 else [])
    with empty as (node, _), pytest.raises(NodeError, match="is there and lists 0 instances"):
        fetch(node, output=tmp_path / "out", patient_id=ID)


def test_an_application_that_logs_everything_does_not_log_whose_study_it_is(node_with, objects, tmp_path, caplog):
    """pynetdicom writes a question into its log line by line, urllib3 the address that holds it."""
    node = node_with(objects)
    with caplog.at_level("DEBUG"):
        fetch(node, output=tmp_path / "out", patient_id=ID)
    ours = [one for one in caplog.records if one.thread == get_ident()]  # the other ones' are the peer, in this process too
    assert not [one for one in ours if ID in one.getMessage() or STUDY in one.getMessage()]
    assert not [one for one in caplog.records if ID in one.getMessage() and one.name != "pynetdicom.service_class"]
    log = logging.getLogger("urllib3.connectionpool")
    record = log.makeRecord(log.name, logging.WARNING, __file__, 1, "what others do", (), None)
    assert log.filter(record)  # asked of the logger: a library may have switched logging off for the whole process
