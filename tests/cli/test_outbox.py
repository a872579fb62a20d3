"""`medimg outbox` shows what waits and why, tells nobody whose it is, and ends with a code that a script can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medimg.cli import main
from medimg.nodes import DimseNode, Outbox, add_node
from medimg.nodes._outbox_entry import State
from tests.builders.objects import PATIENT, STUDY, write_objects
from tests.builders.orthanc import closed_port


@pytest.fixture
def places(tmp_path):
    """An outbox with three objects for a node that is down, and the words that name it."""
    config = tmp_path / "pacs.toml"
    node = DimseNode(name="archive", host="127.0.0.1", port=closed_port(), ae_title="ARCHIVE", timeout_s=2)
    add_node(node, pacs_config=config)
    with Outbox(tmp_path / "box", pacs_config=config) as outbox:
        outbox.put(write_objects(tmp_path / "study", 3), "archive")
    return ["--outbox", str(tmp_path / "box"), "--pacs-config", str(config)]


def set_state(places, state, reason=""):
    with Outbox(places[1]) as outbox, outbox.store.change() as database:
        database.execute("UPDATE entry SET state = ?, reason = ?", (str(state), reason))


def names(places):
    with Outbox(places[1]) as outbox:
        return [entry.name for entry in outbox.entries()]


def test_the_list_says_what_waits_and_whose_it_is_not(places, capsys):
    assert main(["outbox", *places]) == 0
    first, study, *objects = capsys.readouterr().out.splitlines()
    assert first == "outbox: 3 waiting"
    assert study.startswith("study-")
    assert study.endswith(" ago: 3 waiting")
    assert len(objects) == 3
    assert all("picture" in line and "due now" in line for line in objects)
    assert main(["outbox", "list", "--json", *places]) == 0
    text = capsys.readouterr().out
    assert PATIENT not in text
    assert STUDY not in text
    content = json.loads(text)
    assert content["schema"] == "medimg.outbox/1"
    assert content["entries"][0] | {"age_s": 0} == {
        "object": names(places)[0],
        "kind": "picture",
        "study": content["entries"][1]["study"],
        "node": "archive",
        "state": "waiting",
        "reason": "",
        "tries": 0,
        "size": content["entries"][1]["size"],
        "age_s": 0,
        "next_try_s": 0,
    }


def test_an_empty_outbox_is_no_error(tmp_path, capsys):
    assert main(["outbox", "--outbox", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out == "outbox: nothing\n"


def test_giving_up_and_purging(places, capsys):
    one = names(places)[0]
    assert main(["outbox", "give-up", one, "--reason", "sent by hand", *places]) == 0
    assert "Given up by a person: sent by hand" in capsys.readouterr().out
    set_state(places, State.DELIVERED)
    assert main(["outbox", "purge", *places]) == 0
    assert capsys.readouterr().out.startswith("removed: 3 delivered")
    assert names(places) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lst"], "list|send|retry|give-up|purge cannot be lst. Give list"),
        (["give-up", "study-0"], "NAME cannot be study-0"),
        (["give-up", "--node", "archive"], "reason cannot be"),
        (["send", "study-0"], "retry, which sends what it names"),
        (["list", "--node", "archiv"], "node cannot be archiv. Give archive"),
    ],
)
def test_what_cannot_be_is_said_with_the_remedy(places, capsys, words, sentence):
    assert main(["outbox", *words, *(["--reason", "so"] if "study-0" in words else []), *places]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("state", "code"), [(State.DELIVERED, 0), (State.GIVEN_UP, 11), (State.ACCEPTED, 12), (State.WAITING, 14)]
)
def test_the_exit_code_says_how_it_ended(places, state, code):
    from medimg.cli import _outbox_lines

    set_state(places, state)
    with Outbox(places[1]) as outbox:
        assert _outbox_lines.exit_code(outbox.entries()) == code


def test_a_damaged_outbox_is_one_sentence(places, capsys):
    (Path(places[1]) / "outbox.sqlite").write_bytes(b"x" * 4096)
    assert main(["outbox", *places]) == 13
    assert capsys.readouterr().err.startswith("medimg: The outbox is damaged")


def test_what_is_not_due_yet_is_no_success(places, capsys):
    """A script that looks at the code alone must not believe that all has arrived."""
    assert main(["outbox", "send", *places]) == 14
    capsys.readouterr()
    assert main(["outbox", "send", *places]) == 14
    assert "not due yet, or sent by another process: 3" in capsys.readouterr().out
    assert main(["outbox", "send", "--json", *places]) == 14
    assert json.loads(capsys.readouterr().out)["entries"] == []
    set_state(places, State.DELIVERED)
    assert main(["outbox", "send", *places]) == 0


@pytest.mark.parametrize("action", ["send", "list", "purge", "retry"])
def test_a_node_that_is_misspelt_is_said_and_one_that_nothing_waits_for_is_no_error(places, capsys, action):
    assert main(["outbox", action, "--node", "arhive", *places]) == 2
    assert "archive (the nearest)" in capsys.readouterr().err
    empty = ["--outbox", f"{places[1]}-empty", *places[2:]]
    assert main(["outbox", action, "--node", "archive", *empty]) == 0
