"""Only one thread takes the answers of an association."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from medimg.nodes import is_there
from medimg.nodes._wire import Checkpoint
from tests.builders.peers import scp


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
