"""Whether a node is there, and what is said where it is not."""

from __future__ import annotations

import threading

import pytest

from medimg.errors import NodeError, OptionError
from medimg.nodes import DimseNode, echo
from tests.builders.orthanc import closed_port
from tests.builders.peers import Archive, raw, scp, web


def test_who_is_there_answers():
    with scp() as (node, _):
        assert 0 < echo(node) < 30
    with web(Archive()) as node:
        assert 0 < echo(node) < 30


def test_who_is_down():
    node = DimseNode(name="pacs", host="127.0.0.1", port=closed_port(), ae_title="PACS", timeout_s=2)
    with pytest.raises(NodeError, match="pacs is down") as down:
        echo(node)
    assert down.value.retry


def test_who_does_not_know_us():
    with scp(require_calling=["OTHERS"]) as (node, _), pytest.raises(NodeError, match="does not know us as MEDIMG") as refused:
        echo(node)
    assert not refused.value.retry


def test_who_speaks_another_language():
    with (
        raw(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n")) as node,
        pytest.raises(NodeError, match="broke the connection"),
    ):
        echo(node)


@pytest.mark.parametrize("pdu_bytes", [1, 6, 7])
def test_who_takes_so_little_at_a_time_that_nothing_fits(pdu_bytes):
    with scp(pdu_bytes=pdu_bytes) as (node, _), pytest.raises(NodeError, match=f"at most {pdu_bytes} bytes at a time") as refused:
        echo(node)
    assert not refused.value.retry
    with scp(pdu_bytes=8) as (node, _):
        echo(node)


def test_a_web_server_that_is_no_archive():
    archive = Archive()
    archive.qido = 404
    with web(archive) as node, pytest.raises(NodeError, match="offers no such service"):
        echo(node)


def test_who_promises_four_gibibytes_is_not_waited_for():
    def behave(connection):
        connection.recv(1 << 16)
        connection.sendall(b"\x02\0\xff\xff\xff\xff")
        connection.recv(1 << 16)

    with raw(behave, timeout_s=60) as node, pytest.raises(NodeError, match="broke the connection off"):
        echo(node)


def test_a_name(root):
    with pytest.raises(OptionError, match=r"orthanc \(the nearest\)"):
        echo("ortanc", pacs_config=root / "configs" / "pacs.toml")


def test_who_answers_byte_by_byte_is_not_waited_for():
    """Each byte comes in time, and the answer never."""
    hung_up = threading.Event()

    def behave(connection):
        connection.recv(1 << 16)
        for byte in b"\x02\x00\x00\x00\xff\xff" + bytes(1 << 16):
            connection.sendall(bytes([byte]))
            if hung_up.wait(0.1):
                return

    with raw(behave, timeout_s=0.5) as node, pytest.raises(NodeError, match="took the connection and did not answer"):
        echo(node)
    hung_up.set()
