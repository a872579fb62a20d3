"""What a run needs for its time is gone after it, and what a killed run left is gone after the next."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from medimg.nodes import _scratch
from medimg.nodes._scratch import scratch

HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from medimg.nodes._scratch import scratch
with scratch() as folder:
    (folder / "scan.dcm").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_it_is_private_and_gone_afterwards(tmp_path):
    with scratch() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "scan.dcm").write_text("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_what_a_killed_run_left_goes_at_the_next_one_and_what_a_living_one_holds_stays(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        held = child.stdout.readline().strip()
        with scratch():
            assert os.path.exists(os.path.join(held, "scan.dcm"))
        child.send_signal(signal.SIGKILL)
        child.wait()
        with scratch():
            assert not os.path.exists(held)


def test_a_folder_of_another_kind_is_left_alone(tmp_path):
    (tmp_path / "medimg-scratch-mine").mkdir()
    (tmp_path / "medimg-scratch-mine" / "notes").write_text("x")
    with scratch():
        pass
    assert (tmp_path / "medimg-scratch-mine" / "notes").exists()


def test_the_folder_of_another_user_is_no_trouble(tmp_path, monkeypatch):
    """Nobody else may look into it."""
    (tmp_path / "medimg-scratch-theirs").mkdir()
    whole = Path.is_file

    def is_file(path):
        if path.parent.name == "medimg-scratch-theirs":
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    _scratch._sweep(tmp_path)


def test_a_folder_that_goes_while_it_is_looked_at_is_no_trouble(tmp_path, monkeypatch):
    """Its run ends in that moment."""
    folder = tmp_path / "medimg-scratch-ending"
    folder.mkdir()
    (folder / "lock.sqlite").touch()
    whole = _scratch.locked

    def late(path):
        shutil.rmtree(folder)
        return whole(path)

    monkeypatch.setattr(_scratch, "locked", late)
    _scratch._sweep(tmp_path)
    assert not folder.exists()


def test_a_folder_swept_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    whole, times = _scratch.locked, []

    @contextmanager
    def swept(path):
        with whole(path) as got:
            times.append(path)
            if len(times) == 1:
                shutil.rmtree(path.parent)
            yield got

    monkeypatch.setattr(_scratch, "locked", swept)
    with _scratch.scratch() as folder:
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
