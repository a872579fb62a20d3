"""Only one thread takes the answers of an association."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace

import pytest

from medimg.errors import NodeError
from medimg.nodes import Outcome, echo, is_there, send
from medimg.nodes._wire import Checkpoint
from tests.builders.peers import raw, scp


def test_a_checkpoint_that_is_held_lets_nobody_pass_until_the_association_ends():
    association = SimpleNamespace(_sent_abort=False, _kill=False, is_aborted=False, is_released=False, is_alive=lambda: True)
    checkpoint, passed, end = Checkpoint(association), [], threading.Event()

    def react():
        while not end.is_set():
            checkpoint.wait()
            passed.append(1)

    reactor = threading.Thread(target=react)
    reactor.start()
    checkpoint.hold()
    before = len(passed)
    for _ in range(1000):  # as between two messages
        checkpoint.clear()
        checkpoint.set()
    assert len(passed) == before
    association.is_released = True
    end.set()
    checkpoint.set()
    reactor.join(timeout=60)
    assert not reactor.is_alive()


def test_a_checkpoint_of_a_thread_that_has_ended_is_not_waited_at():
    association = SimpleNamespace(_sent_abort=False, _kill=False, is_aborted=False, is_released=False, is_alive=lambda: False)
    Checkpoint(association).hold()


def test_no_answer_is_lost_though_the_machine_is_busy():
    """pynetdicom's reactor thread took one of some hundred answers of one association from who waited for it."""
    names = [(f"1.2.{number}", f"1.3.{number}", f"1.4.{number}") for number in range(25)]
    end = threading.Event()

    def burn():
        while not end.is_set():
            sum(range(1000))

    busy = [threading.Thread(target=burn) for _ in range(3)]
    for thread in busy:
        thread.start()
    try:
        with scp(keeps=False, timeout_s=60) as (node, _):
            assert set(is_there(node, names).values()) == {False}
    finally:
        end.set()
        for thread in busy:
            thread.join()


def takes_what_was_not_proposed(connection):
    """Answer a request for an association like a peer that chose a transfer syntax of its own."""
    from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

    request = A_ASSOCIATE_RQ()
    request.decode(connection.recv(1 << 16))
    answer = request.to_primitive()
    for context in answer.presentation_context_definition_list:
        context.result, context.transfer_syntax = 0, ["1.2.840.10008.1.2.4.90"]
    answer.presentation_context_definition_results_list = answer.presentation_context_definition_list
    answer.result = 0
    said = A_ASSOCIATE_AC()
    said.from_primitive(answer)
    connection.sendall(said.encode())
    while connection.recv(1 << 16):
        pass


def test_a_peer_that_takes_what_was_not_proposed_is_not_talked_to(seg_file):
    with raw(takes_what_was_not_proposed, timeout_s=30) as node:
        with pytest.raises(NodeError, match="takes what was not proposed"):
            echo(node)
        (sent,) = send(seg_file, node).sent
    assert (sent.outcome, sent.retry) == (Outcome.FAILED, False)


COMMAND_OF_NOTHING = bytes.fromhex("0400 00000012 0000000e 01 03 0000 0000 04000000 00000000".replace(" ", ""))


def test_a_message_that_cannot_be_read_is_a_broken_connection_and_prints_nothing(seg_file):
    """pynetdicom's thread died of it: Python printed where, and nobody heard of the answer any more."""

    def say_nothing(event):
        event.assoc.dul.socket.socket.sendall(COMMAND_OF_NOTHING)
        event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)

    with scp(on_store=say_nothing, asks=False, timeout_s=60) as (node, _):
        (sent,) = send(seg_file, node).sent
    assert (sent.outcome, sent.retry) == (Outcome.FAILED, True)
    assert "broke the connection off" in sent.reason
