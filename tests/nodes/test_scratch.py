"""What a run needs for its time is gone after it, and what a killed run left is gone after the next."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile

import pytest

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
