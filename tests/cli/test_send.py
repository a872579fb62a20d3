"""`medimg pacs` and `medimg send` as people run them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import pytest

from medimg.cli import main
from medimg.nodes import add_node
from tests.builders.interrupts import hears_ctrl_c
from tests.builders.orthanc import closed_port
from tests.builders.peers import Archive, raw, scp, web
from tests.builders.study import study_result

NAMES = ("Mustermann", "PID4711", "ACC4711")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from medimg.reports import seg

    folder = tmp_path_factory.mktemp("results")
    seg.write(study_result(folder / "source"), folder)
    (folder / "run.json").write_text("{}")
    return folder


def run(capsys, *words):
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    assert not any(name in said.out + said.err for name in NAMES)
    assert "Traceback" not in said.err
    return code, said.out, said.err


def add(capsys, config, node):
    words = ["--host", node.host, "--port", node.port, "--ae-title", node.ae_title, "--timeout-s", node.timeout_s]
    assert run(capsys, "pacs", "add", node.name, *words, "--pacs-config", config)[0] == 0


def test_a_node_is_added_listed_asked_and_sent_to(capsys, tmp_path, results):
    config = tmp_path / "pacs.toml"
    with scp() as (node, held):
        add(capsys, config, node)
        code, out, _ = run(capsys, "pacs", "list", "--pacs-config", config)
        assert (code, out) == (0, f"peer: DIMSE PEER at 127.0.0.1:{node.port}, as MEDIMG\n")
        code, out, _ = run(capsys, "pacs", "echo", "peer", "--pacs-config", config)
        assert code == 0
        assert out.startswith("peer is there and answers")
        code, out, err = run(capsys, "send", results / "seg.dcm", results / "run.json", "peer", "--pacs-config", config)
        assert code == 0
        assert out.startswith("1 instance sent to peer and found again there")
        assert "not sent: run.json: no DICOM file" in out
        assert "medimg: send" in err
    assert len(held) == 1


def test_json(capsys, tmp_path, results):
    config = tmp_path / "pacs.toml"
    with scp() as (node, held):
        add(capsys, config, node)
        code, out, _ = run(capsys, "send", results, "peer", "--pacs-config", config, "--json", "--quiet")
    said = json.loads(out)
    assert (code, said["schema"], said["outcome"], said["node"]) == (0, "medimg.delivery/1", "found", "peer")
    assert len(said["sent"]) == len(held) == 17
    one = next(item for item in said["sent"] if item["file"] == "seg.dcm")
    assert one == {
        "instance_uid": one["instance_uid"],
        "class_uid": "1.2.840.10008.5.1.4.1.1.66.4",
        "file": "seg.dcm",
        "outcome": "found",
        "reason": "",
        "note": "",
        "in_place_of": "",
        "retry": False,
    }


def test_how_it_ends_is_one_sentence_and_a_code(capsys, tmp_path, results):
    config = tmp_path / "pacs.toml"
    config.write_text(f'[nodes.down]\nhost = "127.0.0.1"\nport = {closed_port()}\nae_title = "A"\ntimeout_s = 2\n')
    code, out, _ = run(capsys, "send", results, "down", "--pacs-config", config, "--quiet")
    assert code == 10
    assert out.count("down is down") == 1
    assert "17 instances not delivered to down" in out
    with scp(asks=False) as (node, _):
        add(capsys, config, node)
        code, out, _ = run(capsys, "send", results, "peer", "--pacs-config", config, "--quiet")
    assert code == 12
    assert "17 instances sent to peer, not proven: peer takes no questions" in out
    with scp(keeps=False) as (node, _):
        config.write_text("")
        add(capsys, config, node)
        words = ("send", results, "peer", "--pacs-config", config, "--quiet", "--found-within-s", "0.1")
        code, out, _ = run(capsys, *words)
    assert code == 11
    assert "does not have it when asked" in out


def test_an_archive_is_added_and_asked(capsys, tmp_path):
    config = tmp_path / "pacs.toml"
    with web(Archive()) as node:
        assert run(capsys, "pacs", "add", "web", "--url", node.url, "--pacs-config", config)[0] == 0
        code, out, _ = run(capsys, "pacs", "echo", "web", "--pacs-config", config, "--json")
    assert code == 0
    assert json.loads(out)["name"] == "web"
    code, out, _ = run(capsys, "pacs", "list", "--pacs-config", config, "--json")
    assert json.loads(out) == [{"name": "web", "address": f"DICOMweb at {node.url}"}]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["pacs", "echo", "orthnac"], 2, "orthanc (the nearest)"),
        (["pacs", "ad", "x"], 2, "add (the nearest)"),
        (["pacs", "add"], 2, "NAME cannot be left out"),
        (["pacs", "add", "x"], 2, "either url"),
        (["pacs", "add", "x", "--host", "a", "--port", "104", "--ae-title", "MUCH_TOO_LONG_A_TITLE"], 2, "1 to 16"),
        (["pacs", "list", "--host", "a"], 2, "medimg pacs add only"),
        (["pacs", "add", "x", "--url", "https://a", "--scheme", "bearer", "--secret", "hunter2"], 2, "env:NAME or file:PATH"),
        (["send", "{results}", "orthnac"], 2, "orthanc (the nearest)"),
        (["send", "{results}/none", "orthanc"], 3, "cannot be opened"),
        (["send", "{results}/run.json", "orthanc"], 3, "holds no DICOM instance"),
        (["send", "{results}", "orthanc", "--associations", "99"], 2, "1 to 16"),
        (["send", "orthanc"], 2, "NODE"),
    ],
)
def test_what_cannot_be_is_said(capsys, root, results, words, code, said):
    config = root / "configs" / "pacs.toml"
    words = [word.format(results=results) for word in words]
    ended, _, err = run(
        capsys, *words, *(["--pacs-config", config] if "add" not in words else ["--pacs-config", results / "pacs.toml"])
    )
    assert ended == code
    assert said in err
    assert "hunter2" not in err


@pytest.mark.parametrize("stage", ["association", "store"])
def test_an_interrupt_ends_it_though_the_peer_hangs(tmp_path, results, root, stage):
    config, reached, release = tmp_path / "pacs.toml", threading.Event(), threading.Event()

    def hang(_):
        reached.set()
        release.wait(60)

    peer = raw(hang, timeout_s=300) if stage == "association" else scp(on_store=hang, timeout_s=300)
    with peer as made:
        node = made[0] if isinstance(made, tuple) else made
        add_node(node, pacs_config=config)
        words = [sys.executable, "-m", "medimg", "send", str(results / "seg.dcm"), node.name, "--pacs-config", str(config)]
        process = subprocess.Popen(
            words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears_ctrl_c
        )
        assert reached.wait(120)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        release.set()
    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err
