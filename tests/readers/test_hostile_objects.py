"""SEG, RTSTRUCT and SR that were made to harm: little time and memory, and one clear sentence or a right reading."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.builders.hostile_objects import make

SECONDS, MIB = 20.0, 700  # of one file and of a processor; the ring of a million points is the worst of those that are read
WORK = """
import json, os, resource, sys, warnings
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
warnings.simplefilter("ignore")
import medimg
from medimg.errors import MedimgError
import medimg.readers._seg, medimg.readers._rtstruct, medimg.readers._sr, imagecodecs

folder = sys.argv[1]
studies, _ = medimg.readers.scan(os.path.join(folder, "scan"))
series = studies[0].series[0]

def memory(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) / 1024

for name in sys.argv[2].split(","):
    open("/proc/self/clear_refs", "w").write("5")
    before, begun = memory("VmRSS"), sum(os.times()[:4])
    path = os.path.join(folder, name)
    try:
        if name.startswith("seg"):
            found = medimg.read_seg(path, scan=series)
            told = f"read: {int((found.array > 0).sum())} {' '.join(found.remarks)}"
        elif name.startswith("rt"):
            found = medimg.read_rtstruct(path, scan=series)
            told = f"read: {int((found.array > 0).sum())} {' '.join(found.remarks)}"
        else:
            report = medimg.read_sr(path)
            told = f"read: {len(report.groups)} {' '.join(item.reason for item in report.skipped)}"
    except MedimgError as error:
        told = f"error: {error}"
    spent = sum(os.times()[:4]) - begun
    print(json.dumps({"name": name, "told": told, "seconds": spent, "mib": memory("VmHWM") - before}), flush=True)
"""
READ = {
    "seg_itself": "read: 458 ",
    "rt_million_points": "read: 448 ",
    "rt_many_contours": "read: 48 4000 contours are there twice",
    "rt_two_points": "are points or lines",
    "rt_no_contours": "No voxel is in",
    "sr_loop": "read: 4 ",
    "sr_number_nan": "is missing, is none",
    "sr_number_1e400": "is missing, is none",
    "sr_number_comma": "is missing, is none",
    "sr_number_twice": "twice with two values",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Write every file, read them all in one child; return what must be told, and what was."""
    folder = tmp_path_factory.mktemp("hostile")
    wanted = make(folder)
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(folder), ",".join(wanted)], stdout=subprocess.PIPE, check=True, timeout=500
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return wanted, {line["name"]: line for line in lines}


def test_every_file_is_read_right_or_said(told):
    wanted, lines = told
    assert set(lines) == set(wanted), "the child died"
    wrong = {}
    for name, words in wanted.items():
        said = lines[name]["told"]
        expected = ("error: ", words) if words else ("read: ", READ.get(name, ""))
        if not all(part in said for part in expected):
            wrong[name] = said
    assert wrong == {}


def test_none_takes_long_or_much(told):
    _, lines = told
    assert {name: line["seconds"] for name, line in lines.items() if line["seconds"] > SECONDS} == {}
    assert {name: line["mib"] for name, line in lines.items() if line["mib"] > MIB} == {}


def test_a_sentence_is_one_line_with_a_remedy(told):
    _, lines = told
    for line in lines.values():
        if line["told"].startswith("error: "):
            assert "\n" not in line["told"]
            assert line["told"].count(". ") >= 1
            assert len(line["told"]) < 400
