"""The outbox loses nothing, sends nothing twice without asking, and says in words what it cannot do."""

from __future__ import annotations

import importlib
import shutil
import threading
from pathlib import Path

import pytest

from medimg.errors import DeliveryError, NodeError, OptionError, ScanError
from medimg.nodes import Outbox
from medimg.nodes._outbox_entry import Backoff, State
from tests.builders.objects import STUDY, write_object, write_objects


def states(outbox):
    return [str(entry.state) for entry in outbox.entries()]


def test_what_was_put_is_sent_and_found_again(outbox, archive, tmp_path):
    files = write_objects(tmp_path / "study", 3)
    entries = outbox.put(files, "archive")
    assert [str(entry.state) for entry in entries] == ["waiting"] * 3
    shutil.rmtree(tmp_path / "study")  # the outbox has copies of its own
    done = outbox.send()
    assert [str(entry.state) for entry in done.tried] == ["delivered"] * 3
    assert archive.received == [entry.instance_uid for entry in entries]
    assert outbox.send().tried == ()
    assert len(archive.received) == 3


def test_the_same_object_twice_is_one_entry(outbox, archive, tmp_path):
    file = write_object(tmp_path / "a.dcm", 1)
    first = outbox.put([file], "archive")
    assert outbox.put([file, file], "archive")[0].id == first[0].id
    assert len(outbox.entries()) == 1
    outbox.put([file], "other")  # another node is another way
    assert len(outbox.entries()) == 2
    assert len(outbox.send().tried) == 2


def test_one_that_was_delivered_is_asked_for_and_not_sent_again(outbox, archive, tmp_path):
    file = write_object(tmp_path / "a.dcm", 1)
    outbox.put([file], "archive")
    outbox.send()
    outbox.put([file], "archive")
    assert states(outbox) == ["waiting"]
    outbox.send()
    assert states(outbox) == ["delivered"]
    assert len(archive.received) == 1
    archive.stored.clear()  # somebody emptied the archive
    outbox.put([file], "archive")
    outbox.send()
    assert states(outbox) == ["delivered"]
    assert len(archive.received) == 2


def test_other_bytes_under_the_same_uid_are_refused_and_nothing_of_the_set_is_taken(outbox, tmp_path):
    outbox.put([write_object(tmp_path / "a.dcm", 1)], "archive")
    with pytest.raises(DeliveryError, match="another object of the same UID"):
        outbox.put([write_object(tmp_path / "b.dcm", 2), write_object(tmp_path / "c.dcm", 1, value=7)], "archive")
    with pytest.raises(DeliveryError, match="one UID must mean the same bytes"):
        outbox.put([tmp_path / "c.dcm"], "other")
    assert len(outbox.entries()) == 1
    outbox.store.sweep()
    assert len(list(outbox.store.objects.iterdir())) == 1


@pytest.mark.parametrize("kind", ["text", "cut", "no file", "bad UID", "two UIDs"])
def test_what_is_no_instance_is_refused_in_words(outbox, tmp_path, kind):
    file, uid = write_object(tmp_path / "a.dcm", 1), f"{STUDY}.2.1".encode()
    if kind == "bad UID":
        file.write_bytes(file.read_bytes().replace(uid, b"../../tmp/x".ljust(len(uid), b"x")))
    if kind == "two UIDs":
        file.write_bytes(file.read_bytes().replace(uid, uid[:-1] + b"9", 1))  # in the head of the file only
    if kind == "text":
        file.write_text("hello")
    if kind == "cut":
        file.write_bytes(file.read_bytes()[:200])
    if kind == "no file":
        file.unlink()
    with pytest.raises(ScanError, match=r"^a\.dcm "):
        outbox.put([file], "archive")
    assert outbox.entries() == ()


def test_a_node_that_is_not_there_is_named_before_anything_is_copied(outbox, tmp_path):
    with pytest.raises(OptionError, match="archive"):
        outbox.put([write_object(tmp_path / "a.dcm", 1)], "archiv")
    assert list(outbox.store.objects.iterdir()) == []


def test_a_node_that_is_down_is_tried_again_ever_more_rarely(outbox, archive, clock, tmp_path):
    outbox.put(write_objects(tmp_path, 2), "archive")
    archive.is_up = False
    waits = []
    for tries in range(1, 12):
        done = outbox.send()
        assert [(str(entry.state), entry.tries) for entry in done.tried] == [("waiting", tries)] * 2
        assert "does not answer" in done.tried[0].reason
        waits.append(done.tried[0].next_try_at - clock.now)
        assert outbox.send().tried == (), "it is not due yet"
        clock.now = max(entry.next_try_at for entry in done.tried)
    doubled = [min(3600, 30 * 2**number) for number in range(11)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, doubled, strict=True))
    archive.is_up = True
    outbox.send()
    assert states(outbox) == ["delivered"] * 2
    assert len(archive.received) == 2


@pytest.mark.parametrize("jump_s", [-3600.0 * 24 * 400, 3600.0 * 24 * 400])
def test_a_clock_that_jumps_delays_nothing_for_longer_than_the_longest_wait(outbox, archive, clock, tmp_path, jump_s):
    outbox.put(write_objects(tmp_path, 1), "archive")
    archive.is_up = False
    outbox.send()
    archive.is_up = True
    clock.now += jump_s
    outbox.send()
    assert states(outbox) == ["delivered"]


def test_a_clock_set_back_a_little_delays_by_no_more_than_the_longest_wait():
    wait = Backoff(first_s=1, most_s=60)
    assert not wait.is_due(1059.0, 1000.0)
    assert wait.is_due(1061.0, 1000.0)
    assert wait.is_due(1000.0, 1000.0)


def test_what_is_refused_for_good_is_given_up_with_the_reason_and_taken_up_again_by_hand(outbox, archive, tmp_path):
    entries = outbox.put(write_objects(tmp_path, 2), "archive")
    archive.refuses = {entries[0].instance_uid}
    outbox.send()
    assert states(outbox) == ["given up", "delivered"]
    assert "refuses objects of this kind" in outbox.entries()[0].reason
    archive.refuses = set()
    assert outbox.retry(entries[0].name)[0].state is State.WAITING
    outbox.send()
    assert states(outbox) == ["delivered"] * 2


def test_an_archive_that_shows_what_it_took_minutes_later_is_asked_again_before_anything_is_given_up(
    outbox, archive, clock, tmp_path
):
    outbox.put(write_objects(tmp_path, 70), "archive")  # more than a batch: it is no node that is not there
    archive.is_slow = True
    outbox.send()
    assert states(outbox) == ["waiting"] * 70
    assert {entry.reason for entry in outbox.entries()} == {"archive said that it took it, and does not have it when asked"}
    archive.is_slow = False
    clock.now += 3600
    outbox.send()
    assert states(outbox) == ["delivered"] * 70
    assert len(archive.received) == 70


def test_an_archive_that_drops_what_it_took_is_given_up_in_the_end(outbox, archive, clock, tmp_path):
    outbox.put(write_objects(tmp_path, 1), "archive")
    archive.drops = True
    for _ in range(20):
        outbox.send()
        clock.now += 3600
    assert states(outbox) == ["given up"]
    assert "does not have it" in outbox.entries()[0].reason
    assert len(archive.received) == 8


def test_what_nobody_may_ask_for_is_accepted_and_says_why(outbox, archive, tmp_path):
    outbox.put(write_objects(tmp_path, 1), "archive")
    archive.lets_ask = False
    (entry,) = outbox.send().tried
    assert (str(entry.state), entry.reason) == ("accepted", "It lets nobody ask.")


def test_a_node_that_refuses_everything_is_tried_again_when_somebody_has_mended_it(outbox, archive, clock, tmp_path):
    """A certificate or a token that ran out says nothing of the objects."""
    outbox.put(write_objects(tmp_path, 2), "archive")
    archive.is_shut = True
    outbox.send()
    assert states(outbox) == ["waiting"] * 2
    assert "certificate" in outbox.entries()[0].reason
    archive.is_shut = False
    clock.now += 3600
    outbox.send()
    assert states(outbox) == ["delivered"] * 2


def test_an_archive_that_died_when_it_was_asked_is_not_one_that_lets_nobody_ask(outbox, archive, clock, tmp_path):
    outbox.put(write_objects(tmp_path, 2), "archive")
    archive.lets_ask, archive.dies_when_asked = False, True
    outbox.send()
    assert states(outbox) == ["waiting"] * 2
    archive.lets_ask, archive.dies_when_asked, archive.is_up = True, False, True
    clock.now += 3600
    outbox.send()
    assert states(outbox) == ["delivered"] * 2
    assert len(archive.received) == 2


LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


@pytest.mark.parametrize("takes_maps", [True, False])
def test_a_node_that_takes_no_label_maps_gets_the_binary_forms_of_all_that_refer_to_one(
    outbox, archive, clock, tmp_path, takes_maps
):
    names = ["sr", "sr_binary", "seg", "seg_binary", "key_1"]
    for number, name in enumerate(names, 1):
        path = write_object(tmp_path / f"{name}.dcm", number)
        if name == "seg":
            write_object(path, number, SOPClassUID=LABEL_MAP)
    entries = outbox.put([tmp_path / f"{name}.dcm" for name in names], "archive")
    assert len(entries) == 3
    uid = {name: f"{STUDY}.2.{number}" for number, name in enumerate(names, 1)}
    archive.is_up = False
    outbox.send()
    archive.is_up = True
    clock.now += 3600
    if not takes_maps:
        archive.refuses = {uid["seg"]}
    outbox.send()
    assert states(outbox) == ["delivered"] * 3
    wanted = ["sr", "seg", "key_1"] if takes_maps else ["sr_binary", "seg_binary", "key_1"]
    assert set(archive.received) == {uid[name] for name in wanted}
    said = [entry.reason for entry in outbox.entries() if "binary form" in entry.reason]
    assert len(said) == (0 if takes_maps else 2)
    outbox.put([tmp_path / f"{name}.dcm" for name in names], "archive")
    outbox.send()
    assert set(states(outbox)) == {"delivered"}
    assert set(archive.received) == {uid[name] for name in wanted}
    outbox.purge()
    assert list(outbox.store.objects.iterdir()) == []


def test_a_study_put_again_is_asked_for_in_the_binary_form_that_it_was_delivered_in(outbox, archive, tmp_path):
    names = ["seg", "seg_binary", "key_1"]
    for number, name in enumerate(names, 1):
        write_object(tmp_path / f"{name}.dcm", number, **({"SOPClassUID": LABEL_MAP} if name == "seg" else {}))
    files, binary = [tmp_path / f"{name}.dcm" for name in names], f"{STUDY}.2.2"
    archive.refuses = {f"{STUDY}.2.1"}
    for is_lost, sent in ((False, 1), (False, 1), (True, 2)):
        if is_lost:
            del archive.stored[binary]
        put = outbox.put(files, "archive")
        outbox.send()
        assert [str(entry.state) for entry in outbox.again(put)] == ["delivered"] * 2
        assert "Its binary form" in outbox.again(put)[-1].reason + outbox.again(put)[0].reason
        assert archive.received.count(binary) == sent
        assert binary in archive.stored
        assert len(outbox.entries()) == 2


@pytest.mark.parametrize("is_given_up", [False, True])
def test_a_refused_label_map_and_its_other_form_are_one_change(outbox, archive, monkeypatch, tmp_path, is_given_up):
    """The process ends as soon as the refusal is known: the study's outlines arrive all the same, in the binary form."""
    for number, name in enumerate(["sr", "sr_binary", "seg", "seg_binary"], 1):
        write_object(tmp_path / f"{name}.dcm", number, **({"SOPClassUID": LABEL_MAP} if name == "seg" else {}))
    entries = outbox.put([tmp_path / f"{name}.dcm" for name in ("sr", "sr_binary", "seg", "seg_binary")], "archive")
    archive.refuses = {f"{STUDY}.2.3"}
    if is_given_up:
        outbox.give_up(next(entry.name for entry in entries if not entry.is_map), reason="reported by hand")
    with monkeypatch.context() as patch:
        patch.setattr(type(outbox.store), "take_other_form", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            outbox.send()
    outbox.send()
    assert sorted(archive.stored) == [f"{STUDY}.2.{number}" for number in ((4,) if is_given_up else (2, 4))]
    assert sorted(states(outbox)) == ["delivered", "given up" if is_given_up else "delivered"]


def test_one_bad_object_keeps_no_other_back(outbox, archive, tmp_path):
    entries = outbox.put(write_objects(tmp_path, 3), "archive")
    archive.chokes_on = {entries[1].instance_uid}
    outbox.send()
    assert states(outbox) == ["delivered", "waiting", "delivered"]


def test_a_node_taken_from_the_configuration_keeps_its_objects_waiting(outbox, archive, config, tmp_path):
    outbox.put(write_objects(tmp_path, 1), "archive")
    config.write_text("")
    outbox.send()
    (entry,) = outbox.entries()
    assert entry.state is State.WAITING
    assert "archive" in entry.reason


def test_after_a_try_without_an_end_the_archive_is_asked_first(outbox, archive, tmp_path):
    entries = outbox.put(write_objects(tmp_path, 3), "archive")
    archive.dies_after = 2  # two arrived; we never learn of it
    with pytest.raises(KeyboardInterrupt):
        outbox.send()
    assert states(outbox) == ["waiting"] * 3
    assert all(entry.unclear for entry in outbox.entries())
    archive.dies_after = None
    outbox.send()
    assert states(outbox) == ["delivered"] * 3
    assert archive.asked == [entry.instance_uid for entry in entries]
    assert sorted(archive.received) == sorted(archive.stored) == [entry.instance_uid for entry in entries]


def test_what_a_dead_process_was_sending_is_taken_back(outbox, archive, tmp_path):
    (entry,) = outbox.put(write_objects(tmp_path, 1), "archive")
    with outbox.store.change() as database:
        database.execute("UPDATE entry SET state = 'sending', tries = 1")  # as after kill -9
    archive.stored[entry.instance_uid] = b"it had arrived"
    outbox.send()
    assert states(outbox) == ["delivered"]
    assert archive.received == []


def test_a_copy_that_changed_on_disk_is_not_sent(outbox, archive, tmp_path):
    files = write_objects(tmp_path, 2)
    first, _ = outbox.put(files, "archive")
    first.file.write_bytes(first.file.read_bytes()[:-2])
    outbox.send()
    assert states(outbox) == ["given up", "delivered"]
    assert "missing or was changed" in outbox.entries()[0].reason
    outbox.put(files, "archive")  # put anew, it is whole again
    outbox.send()
    assert states(outbox) == ["delivered"] * 2


def test_giving_up_wants_a_reason_and_names(outbox, archive, tmp_path):
    entries = outbox.put(write_objects(tmp_path, 2), "archive")
    with pytest.raises(OptionError, match="reason"):
        outbox.give_up(entries[0].name, reason="  ")
    with pytest.raises(OptionError, match="NAME"):
        outbox.give_up(reason="sent by hand")
    with pytest.raises(OptionError, match=entries[0].name):
        outbox.give_up(entries[0].name[:-1], reason="sent by hand")
    (stopped,) = outbox.give_up(entries[0].name, reason="sent by hand\x1b[31m")
    assert stopped.reason.startswith("Given up by a person: sent by hand")
    assert "\x1b" not in stopped.reason
    assert len(outbox.give_up(entries[0].study, reason="the whole study")) == 1
    assert outbox.send().tried == ()


def test_purge_removes_what_is_delivered_and_nothing_else(outbox, archive, tmp_path):
    entries = outbox.put(write_objects(tmp_path, 3), "archive")
    archive.refuses = {entries[0].instance_uid}
    outbox.send()
    outbox.put([write_object(tmp_path / "late.dcm", 9)], "archive")
    assert len(outbox.purge()) == 2
    assert states(outbox) == ["given up", "waiting"]
    assert len(list(outbox.store.objects.iterdir())) == 2
    assert len(outbox.purge(given_up=True)) == 1
    assert states(outbox) == ["waiting"]


def test_two_senders_at_once_send_everything_once(outbox, archive, config, tmp_path):
    outbox.put(write_objects(tmp_path, 40), "archive")
    with Outbox(outbox.folder, pacs_config=config) as second:
        threads = [threading.Thread(target=one.send, kwargs={"wait_s": 60}) for one in (outbox, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert states(outbox) == ["delivered"] * 40
    assert len(archive.received) == len(set(archive.received)) == 40


def test_while_another_process_sends_it_is_said_and_nothing_is_sent(outbox, archive, config, tmp_path):
    from medimg.nodes._outbox_lock import locked
    from medimg.nodes._outbox_send import lock_of

    outbox.put(write_objects(tmp_path, 1), "archive")
    with locked(lock_of(outbox.folder, "archive")) as got:
        assert got
        done = outbox.send()
    assert (done.tried, done.busy) == ((), ("archive",))
    assert archive.received == []


def test_an_error_of_the_node_while_asking_leaves_everything_waiting(outbox, archive, monkeypatch, tmp_path):
    def down(*_arguments, **_options):
        raise NodeError("The node archive is down. Try again later.")

    entries = outbox.put(write_objects(tmp_path, 2), "archive")
    outbox.retry(entries[0].name)
    monkeypatch.setattr(importlib.import_module("medimg.nodes.send"), "send", down)
    outbox.send()
    assert states(outbox) == ["waiting"] * 2
    assert "is down" in outbox.entries()[0].reason


def test_paths_may_be_words(outbox, archive, tmp_path):
    outbox.put([str(write_object(tmp_path / "a.dcm", 1))], "archive")
    assert isinstance(outbox.entries()[0].file, Path)
