"""Results reach the archive, or wait and are said to; nothing says whose they are."""

from __future__ import annotations

import tempfile

import pydicom
import pytest

from medimg.errors import NodeError, OptionError, OutboxError
from medimg.nodes import Outbox, infer_and_send
from medimg.nodes._outbox_entry import State
from tests.builders.answering import pacs
from tests.builders.inferred import Infer
from tests.builders.objects import write_objects

ID = "PID-4711"


@pytest.fixture
def infer(monkeypatch, tmp_path):
    made = Infer(tmp_path / "made")
    monkeypatch.setattr("medimg.runs.infer", made)
    return made


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    """A folder for temporary files that can be looked into afterwards."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


@pytest.fixture
def options(tmp_path, config):
    return {"send": "archive", "outbox": tmp_path / "box", "pacs_config": config}


def test_objects_are_sent_and_the_report_stays(infer, archive, options, tmp_path):
    done = infer_and_send("scan", output=tmp_path / "out", **options)
    assert {str(entry.state) for entry in done.entries} == {"delivered"}
    written = set((tmp_path / "out").rglob("*.dcm"))
    assert {str(pydicom.dcmread(path).SOPInstanceUID) for path in written} == set(archive.received)
    assert (tmp_path / "out" / done.studies[0].name / "report.html").is_file()
    assert done.run.studies[0].files


def test_without_an_output_the_outbox_has_them_and_nothing_else_is_left(infer, archive, options, temporary):
    archive.is_up = False
    done = infer_and_send("scan", **options)
    assert {entry.state for entry in done.entries} == {State.WAITING}
    assert done.run.studies[0].files == ()
    assert list(temporary.iterdir()) == []
    archive.is_up = True
    with Outbox(options["outbox"], pacs_config=options["pacs_config"]) as outbox:
        outbox.retry()
        outbox.send()
        assert {entry.state for entry in outbox.entries()} == {State.DELIVERED}
    assert len(archive.stored) == len(done.entries)


def test_options_reach_infer(infer, archive, options):
    infer_and_send("a", "b", model="m", explain="none", **options)
    ((paths, _, given),) = infer.calls
    assert (paths, given) == (("a", "b"), {"model": "m", "explain": "none"})


def test_a_study_that_failed_sends_nothing(infer, archive, options):
    infer.error = "It could not be read."
    done = infer_and_send("scan", **options)
    assert done.studies == ()
    assert archive.received == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"send": "archiv"}, OptionError),
        ({"send": ""}, OptionError),  # an outbox, and nothing to send
        ({"scan": "pacs://nobody?PatientID=1"}, OptionError),
        ({"scan": "pacs://archive?Patient=1"}, OptionError),
        ({"outbox": "damaged"}, OutboxError),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(infer, archive, options, tmp_path, words, error):
    if words.get("outbox"):
        (tmp_path / "damaged").mkdir()
        (tmp_path / "damaged" / "outbox.sqlite").write_bytes(b"?" * 5000)
        words = {"outbox": tmp_path / "damaged"}
    given = {"scan": "scan", **options, **words}
    with pytest.raises(error):
        infer_and_send(given.pop("scan"), **given)
    assert infer.calls == []


def test_objects_that_the_outbox_cannot_take_are_said_with_their_study(infer, archive, options, monkeypatch, tmp_path):
    from medimg.errors import WriteError

    def full(*_arguments, **_options):
        raise WriteError("The outbox could not be written: No space left on device. Free some space.")

    monkeypatch.setattr(Outbox, "put", full)
    (study,) = infer_and_send("scan", output=tmp_path / "out", **options).studies
    assert study.exit_code == 6
    assert "medimg send sends them" in study.error
    (study,) = infer_and_send("scan", **options).studies
    assert "Nothing of them is kept" in study.error


def test_an_outbox_that_fails_while_it_sends_hides_no_result(infer, archive, options, monkeypatch):
    def full(*_arguments, **_options):
        raise OutboxError("Another process has written to the outbox for more than 60 s. Try again when it is done.")

    monkeypatch.setattr(Outbox, "send", full)
    done = infer_and_send("scan", **options)
    assert len(done.run.studies) == 1
    assert (done.studies[0].exit_code, len(done.entries)) == (13, len(done.entries))
    assert "Another process" in done.studies[0].error


def test_a_study_on_a_node_is_fetched_run_and_its_results_sent(infer, archive, options, tmp_path, temporary):
    source = [pydicom.dcmread(path) for path in write_objects(tmp_path / "peer", 4)]
    with pacs(source) as node:
        options["pacs_config"].write_text(
            options["pacs_config"].read_text()
            + f'\n[nodes.source]\nhost = "127.0.0.1"\nport = {node.port}\nae_title = "{node.ae_title}"\n'
        )
        done = infer_and_send(f"pacs://source?PatientID={ID}&Modality=OT", **options)
    assert infer.seen == [4]
    assert {entry.state for entry in done.entries} == {State.DELIVERED}
    assert list(temporary.iterdir()) == []
    assert ID not in str(done.to_dict())
    assert ID not in str(infer.calls)


def test_nothing_runs_on_a_part_of_a_study(infer, archive, options, tmp_path, temporary):
    source = [pydicom.dcmread(path) for path in write_objects(tmp_path / "peer", 4)]
    with pacs(source, source[:3]) as node:
        options["pacs_config"].write_text(
            options["pacs_config"].read_text()
            + f'\n[nodes.source]\nhost = "127.0.0.1"\nport = {node.port}\nae_title = "{node.ae_title}"\n'
        )
        with pytest.raises(NodeError, match=r"Nothing was run, .* lists 4 instances of it and sent 3") as caught:
            infer_and_send(f"pacs://source?PatientID={ID}", **options)
    assert ID not in str(caught.value)
    assert infer.calls == []
    assert list(temporary.iterdir()) == []
