"""With a real Orthanc: what goes through the outbox arrives once whatever is killed, and what is fetched is what is stored."""

from __future__ import annotations

import os
from collections import Counter

import pydicom
import pytest

from medimg.errors import NodeError
from medimg.nodes import Outbox, add_node, fetch, infer_and_send, send
from medimg.nodes._outbox_entry import Backoff, State
from tests.builders.inferred import Infer
from tests.builders.killed import trial
from tests.builders.objects import STUDY, write_object, write_objects
from tests.builders.orthanc import data_set, free_port, orthanc
from tests.builders.study import study_result

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
RLE = "1.2.840.10008.1.2.5"


@pytest.fixture(scope="module")
def as_installed(tmp_path_factory):
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def knowing_us(tmp_path_factory):
    with orthanc(tmp_path_factory.mktemp("orthanc"), knows_us=True) as running:
        yield running


@pytest.fixture(params=["dimse", "web"])
def node(request, knowing_us):
    knowing_us.clear()
    return getattr(knowing_us, request.param)


def by_uid(paths):
    return {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): data_set(path.read_bytes()) for path in paths}


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_whoever_is_killed_nothing_is_lost_and_nothing_is_there_twice(tmp_path):
    """The short form of benchmarks/outbox.py."""
    tally = trial(tmp_path, runs=6, seed=5)
    assert (tally.lost, tally.twice, tally.changed, tally.unknown, tally.not_delivered) == ([], [], [], [], 0)
    assert tally.in_archive == tally.put


def test_results_wait_for_an_archive_that_is_down_and_arrive_when_it_is_up(tmp_path, monkeypatch):
    monkeypatch.setattr("medimg.runs.infer", Infer(tmp_path / "made"))
    ports, config = (free_port(), free_port()), tmp_path / "pacs.toml"
    with orthanc(tmp_path / "orthanc", knows_us=True, ports=ports) as running:
        add_node(running.dimse, pacs_config=config)
    options = {"send": running.dimse.name, "outbox": tmp_path / "box", "pacs_config": config}
    done = infer_and_send("scan", output=tmp_path / "out", **options)
    assert {entry.state for entry in done.entries} == {State.WAITING}
    assert all("is down" in entry.reason for entry in done.entries)
    with (
        orthanc(tmp_path / "orthanc", knows_us=True, ports=ports) as running,
        Outbox(tmp_path / "box", pacs_config=config) as outbox,
    ):
        outbox.retry()
        outbox.send()
        assert {entry.state for entry in outbox.entries()} == {State.DELIVERED}
        held = {uid: data_set(content) for uid, content in running.files().items()}
    assert held == by_uid((tmp_path / "out").rglob("*.dcm"))


def test_an_orthanc_as_it_is_installed_lets_nobody_ask_and_it_is_said(as_installed, tmp_path):
    config = tmp_path / "pacs.toml"
    add_node(as_installed.dimse, pacs_config=config)
    with Outbox(tmp_path / "box", pacs_config=config) as outbox:
        outbox.put(write_objects(tmp_path / "study", 3), as_installed.dimse.name)
        outbox.send()
        assert {str(entry.state) for entry in outbox.entries()} == {"accepted"}
        assert "AE title" in outbox.entries()[0].reason


def test_a_label_map_that_is_refused_arrives_in_its_binary_form(node, knowing_us, tmp_path):
    config = tmp_path / "pacs.toml"
    add_node(node, pacs_config=config)
    write_object(tmp_path / "seg.dcm", 1, SOPClassUID=LABEL_MAP)
    files = [tmp_path / "seg.dcm", write_object(tmp_path / "seg_binary.dcm", 2), write_object(tmp_path / "sr.dcm", 3)]
    files.append(write_object(tmp_path / "sr_binary.dcm", 4))
    with Outbox(tmp_path / "box", pacs_config=config, backoff=Backoff(first_s=0.01, most_s=0.01)) as outbox:
        outbox.put(files, node.name)
        outbox.send()
        assert {str(entry.state) for entry in outbox.entries()} == {"delivered"}
    takes_maps = node.name == knowing_us.web.name  # HTTP does not ask for SOP classes
    assert set(knowing_us.files()) == {f"{STUDY}.2.{number}" for number in ((1, 3) if takes_maps else (2, 4))}


def test_a_fetched_study_is_the_stored_one_byte_by_byte(node, knowing_us, tmp_path):
    """Several classes and transfer syntaxes in one study; Orthanc ends a C-GET at the first instance of an unproposed class."""
    study_result(tmp_path / "peer" / "ct", PatientID="FETCH-1")
    ct = sorted((tmp_path / "peer" / "ct").iterdir())
    for path, syntax in zip(ct, (RLE, RLE, None), strict=False):
        if syntax:
            dataset = pydicom.dcmread(path)
            dataset.compress(syntax)
            dataset.save_as(path)
    study = str(pydicom.dcmread(ct[0]).StudyInstanceUID)
    for number in range(3):
        write_object(
            tmp_path / "peer" / f"map{number}.dcm", number, study=study, PatientID="FETCH-1", SeriesInstanceUID=f"{STUDY}.7"
        )
    send(tmp_path / "peer", knowing_us.dimse)
    got = fetch(node, output=tmp_path / "out", patient_id="FETCH-1")
    assert got.is_whole
    assert by_uid((tmp_path / "out").rglob("*.dcm")) == {uid: data_set(content) for uid, content in knowing_us.files().items()}
    assert RLE in {syntax for series in got.studies[0].series for syntax in series.syntaxes}
    only = fetch(node, output=tmp_path / "ct", patient_id="FETCH-1", modality="CT", study_date="20240102")
    assert Counter(series.modality for series in only.studies[0].series) == {"CT": 1}
    assert only.studies[0].received == len(ct)


def test_an_orthanc_that_does_not_know_us_lets_us_not_fetch_and_it_is_said(as_installed, tmp_path):
    send([write_object(tmp_path / "a.dcm", 1)], as_installed.dimse)
    with pytest.raises(NodeError, match="let it know MEDIMG") as caught:
        fetch(as_installed.dimse, output=tmp_path / "out", patient_id="PID-4711")
    assert "4711" not in str(caught.value)
