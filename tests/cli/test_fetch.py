"""`medimg fetch` passes on what was given, and shows nobody whose study it is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from medimg.cli import main
from tests.builders.answering import pacs
from tests.builders.objects import write_objects

ID = "PID-4711"


@pytest.fixture
def places(tmp_path):
    """A PACS with four instances, and the words that name it."""
    objects = [pydicom.dcmread(path) for path in write_objects(tmp_path / "peer", 4)]
    with pacs(objects) as node:
        config = tmp_path / "pacs.toml"
        config.write_text(f'[nodes.peer]\nhost = "127.0.0.1"\nport = {node.port}\nae_title = "{node.ae_title}"\n')
        yield ["peer", "--pacs-config", str(config), "--output", str(tmp_path / "out")]


def test_it_says_what_came_and_where(places, capsys):
    assert main(["fetch", *places, "--patient-id", ID, "--modality", "OT"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("study-")
    assert "4 instances in " in first
    assert second.strip().endswith("OT, 4 instances")


def test_the_id_may_come_from_stdin(places, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{ID}\n"))
    assert main(["fetch", *places, "--patient-id", "-", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["schema"], content["studies"][0]["received"]) == ("medimg.fetch/1", 4)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--patient-id", f"{ID}*"], 2),
        (["--patient-id", "SOMEBODY-4711"], 3),
        (["--modality", "CT"], 2),
        (["--patient-id", ID, "--study-date", "4711"], 2),
    ],
)
def test_what_goes_wrong_is_said_without_what_was_given(places, capsys, words, code):
    assert main(["fetch", *places, *words]) == code
    err = capsys.readouterr().err
    assert "4711" not in err
    assert err.count("\n") <= 2  # a line of progress, and the sentence


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc")
def test_the_list_of_processes_does_not_show_it():
    code = (
        "import sys; from medimg._tools.command_line import hide; hide(*sys.argv[1:3]);"
        "print(open('/proc/self/cmdline').read().replace(chr(0), ' '), sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "Mustermann4711", "ACC-9", "kept"], capture_output=True, text=True, check=True
    )
    shown, _, word = done.stdout.strip().rpartition(" ")
    assert word == "Mustermann4711"  # the program still has it
    assert "Mustermann4711" not in shown
    assert "ACC-9" not in shown
    assert shown.rstrip().endswith("kept")
