"""Where the outbox lies: private, whole after kill -9 and on a full disk, and said in words when it is damaged or not ours."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from medimg.errors import OutboxError, WriteError
from medimg.nodes import Outbox
from tests.builders.objects import PATIENT, STUDY, write_object, write_objects


def test_it_lies_where_nobody_else_looks_and_its_names_say_nothing(outbox, tmp_path):
    outbox.put([write_object(tmp_path / "Mustermann_Erika" / "Mustermann.dcm", 1)], "archive")
    assert stat.S_IMODE(outbox.folder.stat().st_mode) == 0o700
    for path in outbox.folder.rglob("*"):
        assert not path.stat().st_mode & 0o077
        assert "uster" not in path.name
        assert STUDY not in path.name
    shown = str(outbox.to_dict(outbox.entries()))
    assert PATIENT not in shown
    assert STUDY not in shown
    assert str(tmp_path) not in shown


def test_the_default_place_is_the_users_state_folder(monkeypatch, tmp_path):
    from medimg.nodes.outbox import default_folder

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_folder() == tmp_path / "medimg" / "outbox"


def test_a_folder_of_somebody_else_is_not_taken(tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").write_text("mine")
    with pytest.raises(OutboxError, match=r"papers is not an outbox of medimg\. Give"):
        Outbox(tmp_path / "papers")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="file is not an outbox"):
        Outbox(tmp_path / "file")


def test_the_database_of_another_program_is_not_touched(tmp_path):
    (tmp_path / "box").mkdir()
    path = tmp_path / "box" / "outbox.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE entry (a)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(OutboxError, match="another program"):
        Outbox(tmp_path / "box")
    assert path.read_bytes() == before


def test_an_outbox_of_a_newer_medimg_is_not_touched(outbox):
    with outbox.store.change() as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(OutboxError, match="form 99"):
        Outbox(outbox.folder)


@pytest.mark.parametrize("damage", ["text", "zeros", "cut"])
def test_a_damaged_database_is_said_and_its_objects_can_be_saved(outbox, tmp_path, damage):
    outbox.put(write_objects(tmp_path / "s", 60), "archive")
    outbox.close()
    path = outbox.folder / "outbox.sqlite"
    whole = path.read_bytes()
    path.write_bytes(
        {"text": b"not a database" * 500, "zeros": whole[:5000] + bytes(len(whole) - 5000), "cut": whole[:9000]}[damage]
    )
    with pytest.raises(OutboxError, match=r"is damaged.* medimg send"):
        Outbox(outbox.folder)
    assert len(list((outbox.folder / "objects").glob("*.dcm"))) == 60


FULL = """
import resource, sys
from pathlib import Path
from medimg.errors import MedimgError
from medimg.nodes import Outbox
folder, config, limit, *files = sys.argv[1:]
with Outbox(folder, pacs_config=config) as outbox:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit),) * 2)
    try:
        outbox.put(files, "archive")
    except MedimgError as error:
        print(error.exit_code, error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX's")
@pytest.mark.parametrize("limit", [0, 2000, 9000])
def test_a_full_disk_takes_the_set_whole_or_not_at_all(outbox, config, tmp_path, limit):
    """A limit on the size of files stands for the full disk: 0 and 2000 bytes stop the object, 9000 the database."""
    outbox.put([write_object(tmp_path / "first.dcm", 1)], "archive")
    many = [write_object(tmp_path / "s" / f"{n}.dcm", n, side=90 if limit == 2000 else 8) for n in range(2, 40)]
    done = subprocess.run(
        [sys.executable, "-c", FULL, outbox.folder, config, str(limit), *many], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("6 The outbox could not be written: ")
    assert "Free some space, or give --outbox" in done.stdout
    assert len(outbox.entries()) == 1
    assert [path.name for path in outbox.store.objects.iterdir()] == [outbox.entries()[0].file.name]
    assert len(outbox.put(many, "archive")) == 38


PUT_ALL = """
import sys
from pathlib import Path
from medimg.nodes import Outbox
folder, config, source = sys.argv[1:]
with Outbox(folder, pacs_config=config) as outbox:
    for study in sorted(Path(source).iterdir()):
        outbox.put(sorted(study.iterdir()), "archive")
        print(study.name, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("seed", range(4))
def test_what_was_said_to_be_in_the_outbox_survives_kill_9(config, tmp_path, seed):
    """Whenever the process is killed: every set that it said to be there is there, whole, and of the next all or nothing."""
    for number in range(60):
        write_objects(tmp_path / "source" / f"{number:03}", 3, study=f"{STUDY}.{number}")
    child = subprocess.Popen(
        [sys.executable, "-c", PUT_ALL, tmp_path / "outbox", config, tmp_path / "source"], stdout=subprocess.PIPE, text=True
    )
    said = [child.stdout.readline() for _ in range(5 + 7 * seed)]
    time.sleep(random.Random(seed).random() * 0.02)
    child.send_signal(signal.SIGKILL)
    said += child.stdout.readlines()
    child.stdout.close()
    child.wait()
    with Outbox(tmp_path / "outbox", pacs_config=config) as outbox:
        outbox.store.sweep()
        entries = outbox.entries()
        assert len(entries) in (3 * len(said), 3 * len(said) + 3)
        for entry in entries:
            number = entry.study_uid.rpartition(".")[2]
            key = f"key_{entry.instance_uid.rpartition('.')[2]}.dcm"
            assert entry.file.read_bytes() == (tmp_path / "source" / f"{int(number):03}" / key).read_bytes()
        assert len(list(outbox.store.objects.iterdir())) == len(entries)


def test_a_folder_that_may_not_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="outbox could not be written"):
        Outbox(tmp_path / "file" / "below")


def test_what_waits_again_since_it_was_looked_at_is_not_removed(outbox, archive, tmp_path):
    """Somebody puts an object again while another purges: only what is gone is said to be gone."""
    files = write_objects(tmp_path, 2)
    outbox.put(files, "archive")
    outbox.send()
    looked_at = outbox.entries()
    (again,) = outbox.put(files[:1], "archive")
    assert [entry.id for entry in outbox.store.remove(looked_at)] == [entry.id for entry in looked_at if entry.id != again.id]
    assert again.file.exists()


OTHER_PROCESS = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=0) as database:
    try:
        database.execute("BEGIN IMMEDIATE")
        print("free")
    except sqlite3.OperationalError:
        print("held")
"""


@pytest.mark.parametrize("what", ["lock", "outbox"])
def test_a_lock_holds_against_other_processes_while_this_one_looks_at_it_again(outbox, config, monkeypatch, what):
    """POSIX ends all of a process's locks on a file when the process closes that file anywhere."""
    from medimg.nodes._outbox_lock import locked

    monkeypatch.setattr("medimg.nodes._outbox_store.BUSY_S", 0.1)
    path = outbox.folder / ("lock-of-a-node.sqlite" if what == "lock" else "outbox.sqlite")

    def others_see():
        words = [sys.executable, "-c", OTHER_PROCESS, path]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    with ExitStack() as held:
        if what == "lock":
            assert held.enter_context(locked(path))
        else:
            outbox.store.entries()
            held.enter_context(outbox.store.change())
        assert others_see() == "held"
        if what == "lock":
            with locked(path) as again:
                assert not again
        else:
            with pytest.raises(OutboxError, match="Another process"):
                Outbox(outbox.folder, pacs_config=config)
        assert others_see() == "held"
    assert others_see() == "free"
