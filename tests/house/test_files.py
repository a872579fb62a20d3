"""What may stand in a file of the repository, and how long it may be."""

from __future__ import annotations

import subprocess

import pytest

LINES_AT_MOST = 400  # a longer file usually holds two things
BYTES_AT_MOST = {"example_dicoms": 4 << 20, "medimg/models/packaged": 12 << 20}  # what a clone may cost

# Words that only mean something on the machine where they were typed. Written in pieces, so that this file holds none of them.
PLACES = [
    "/" + "work/",
    "/" + "opt/pypi",
    "/" + "root/",
    "/" + "home/",
    "files.python" + "hosted",
    "pypi" + ".org",
    "registry." + "npmjs",
]
DATA_BESIDE = ".." + "/shared"
MAY_NAME_DATA = {".ci/run"}  # the one file that knows where a checkout may find real scans
BINARY = {".dcm", ".safetensors", ".png", ".gz"}


def tracked(root):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [root / name for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()]


def texts(root):
    for path in tracked(root):
        if path.suffix not in BINARY and path.is_relative_to(root / "example_dicoms") is False:
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def test_no_file_names_a_place_of_one_machine(root):
    found = [f"{name}: {place}" for name, text in texts(root) for place in PLACES if place in text]
    found += [f"{name}: {DATA_BESIDE}" for name, text in texts(root) if DATA_BESIDE in text and name not in MAY_NAME_DATA]
    assert not found


def test_no_python_file_is_longer_than_one_idea(root):
    long = {name: text.count("\n") for name, text in texts(root) if name.endswith(".py") and text.count("\n") > LINES_AT_MOST}
    assert not long


def test_tests_carry_no_binary_files(root):
    assert not [path.name for path in tracked(root) if path.is_relative_to(root / "tests") and b"\0" in path.read_bytes()]


@pytest.mark.parametrize(("folder", "limit"), BYTES_AT_MOST.items())
def test_a_clone_stays_small(root, folder, limit):
    files = [path for path in tracked(root) if path.is_relative_to(root / folder)]
    assert files, f"nothing of {folder} is tracked"
    assert sum(path.stat().st_size for path in files) <= limit
