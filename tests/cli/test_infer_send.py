"""`medimg infer --send` says for each study how its results ended, and what to do about what waits."""

from __future__ import annotations

import io
import json
import sys

import pydicom
import pytest

from medimg.cli import main
from medimg.nodes import DimseNode, add_node
from tests.builders.answering import pacs
from tests.builders.inferred import Infer
from tests.builders.objects import write_objects
from tests.builders.orthanc import closed_port


@pytest.fixture
def infer(monkeypatch, tmp_path):
    made = Infer(tmp_path / "made")
    monkeypatch.setattr("medimg.runs.infer", made)
    return made


@pytest.fixture
def words(tmp_path):
    """The words that send to a node that is down."""
    config = tmp_path / "pacs.toml"
    node = DimseNode(name="archive", host="127.0.0.1", port=closed_port(), ae_title="ARCHIVE", timeout_s=5)
    add_node(node, pacs_config=config)
    return ["--send", "archive", "--outbox", str(tmp_path / "box"), "--pacs-config", str(config)]


def test_what_waits_is_not_lost_and_it_is_said_how_to_send_it(infer, words, capsys):
    assert main(["infer", "scan", *words]) == 14
    out = capsys.readouterr().out.splitlines()
    assert any(line.startswith("study-") and line.endswith("waiting") for line in out)
    assert any("archive is down" in line for line in out)
    assert any(line.startswith("Nothing was kept here but what is for archive. Give --output") for line in out)
    assert out[-1] == "What waits is in the outbox and is not lost. Send it later with: medimg outbox send"
    assert main(["outbox", "send", *words[2:]]) == 14  # nothing is due yet, and nothing has arrived
    assert main(["outbox", "retry", *words[2:]]) == 14


def test_json_is_the_run_and_what_became_of_its_results(infer, words, capsys):
    assert main(["infer", "scan", *words, "--json"]) == 14
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "medimg.run/1"
    (study,) = content["delivery"]["studies"]
    assert study["name"] == content["studies"][0]["name"]
    assert {one["state"] for one in study["objects"]} == {"waiting"}


def test_a_study_that_failed_gives_its_own_code(infer, words, capsys):
    infer.error = "It was made for no such scan."
    assert main(["infer", "scan", *words]) == 4
    assert "made for no such scan" in capsys.readouterr().err


def test_a_node_that_there_is_not_is_said_before_anything_runs(infer, words, capsys):
    assert main(["infer", "scan", *words, "--send", "archiv"]) == 2
    assert "Give archive" in capsys.readouterr().err
    assert infer.calls == []


def test_the_outbox_wants_somebody_to_send_to(infer, tmp_path, capsys):
    assert main(["infer", "scan", "--outbox", str(tmp_path / "box")]) == 2
    assert "--send NODE" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["word", "stdin"])
def test_a_scan_on_a_node_needs_no_send_and_its_question_is_shown_nowhere(infer, words, capsys, monkeypatch, tmp_path, way):
    question = "PatientID=PID-4711&Modality=OT"
    monkeypatch.setattr(sys, "stdin", io.StringIO(question + "\n"))
    with pacs([pydicom.dcmread(path) for path in write_objects(tmp_path / "peer", 2)]) as node:
        config = tmp_path / "source.toml"
        config.write_text(f'[nodes.source]\nhost = "127.0.0.1"\nport = {node.port}\nae_title = "{node.ae_title}"\n')
        address = f"pacs://source?{question if way == 'word' else '-'}"
        assert main(["infer", address, "--pacs-config", str(config), "--output", str(tmp_path / "out")]) == 0
    assert infer.seen == [2]
    shown = "".join(capsys.readouterr())
    assert "PID-4711" not in shown
    assert not any(b"PID-4711" in path.read_bytes() for path in (tmp_path / "out").rglob("*.json"))
