"""Sending, against storescu of DCMTK: 300 CT slices to Orthanc as it is installed; and the objects of a study, to found again.

Needs Orthanc with its DICOMweb plugin and DCMTK (apt install orthanc orthanc-dicomweb dcmtk), and medimg[test].
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from _rounds import peak_mib  # noqa: E402 - the paths come first

from medimg.nodes import Outcome, add_node, send  # noqa: E402
from medimg.reports import write_all  # noqa: E402
from medimg.runs._proof import prove  # noqa: E402
from medimg.values import Volume  # noqa: E402
from tests.builders.orthanc import data_set, orthanc  # noqa: E402
from tests.builders.study import balls, grid_of, study_result, write_ct  # noqa: E402

ROUNDS = int(os.environ.get("MEDIMG_BENCH_ROUNDS", "5"))
SLICES, SIDE = 300, 512
STORESCU = "/usr/bin/storescu"  # by its path: pynetdicom brings another of this name


def slices(folder: Path) -> Path:
    """Write a series of noise, 150 MiB."""
    values = np.random.default_rng(0).integers(-1024, 1024, (SLICES, SIDE, SIDE)).astype(np.int16)
    write_ct(folder, Volume(array=values, grid=grid_of(shape=values.shape), modality="CT", unit="HU"))
    return folder


def run(*words: object) -> None:
    """Run a program to its end; medimg's own code 12 says that Orthanc lets nobody ask, which is so as it is installed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False)
    if done.returncode not in (0, 12):
        raise RuntimeError(done.stderr.decode() + done.stdout.decode())


def against_storescu(folder: Path) -> None:
    """Print seconds of each sender, round by round in turn, and the median of the ratios to storescu."""
    source = slices(folder / "ct")
    files = sorted(source.iterdir())
    with orthanc(folder / "orthanc") as server:
        config = add_node(server.dimse, pacs_config=folder / "pacs.toml")
        medimg = (sys.executable, "-m", "medimg", "send", source, "orthanc", "--quiet", "--pacs-config", config)
        cases = {
            "storescu": lambda: run(STORESCU, "-aec", "ORTHANC", "127.0.0.1", server.dicom_port, *files),
            "medimg send": lambda: run(*medimg),
            "medimg send --associations 1": lambda: run(*medimg, "--associations", 1),
            "send() in a Python that runs": lambda: send(source, server.dimse),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(ROUNDS):
            for name, case in cases.items():
                server.clear()
                begun = time.perf_counter()
                case()
                times[name].append(time.perf_counter() - begun)
                if number == 0:
                    held = sorted(data_set(content) for content in server.files().values())
                    same = held == sorted(data_set(path.read_bytes()) for path in files)
                    print(f"  {name}: {len(held)} instances there, data set bytes {'equal' if same else 'DIFFER'}", flush=True)
    title = f"{SLICES} CT slices of {SIDE} x {SIDE} by C-STORE to Orthanc as it is installed, {ROUNDS} rounds"
    print(f"\n{title} (load {os.getloadavg()[0]:.1f})")
    for name, values in times.items():
        ratio = statistics.median(mine / other for mine, other in zip(values, times["storescu"], strict=True))
        print(f"  {name:<30} median {statistics.median(values):7.2f} s   of storescu {ratio:.3f}", flush=True)


def a_study(folder: Path) -> None:
    """Print how long the objects of five findings take from a result in memory to found again, report and heatmap included."""
    grid = grid_of(shape=(SLICES, SIDE, SIDE))
    x, y, z = grid.to_mm((np.array(grid.shape) - 1) / 2)
    places = [((x + 30 * step, y - 20 * step, z + 60 * step), 4.0 + step) for step in range(-2, 3)]
    result = study_result(folder / "source", mask=balls(grid, places))
    for words, knows_us, kind in (("STOW-RS, as it is installed", False, "web"), ("C-STORE, knowing us", True, "dimse")):
        with orthanc(folder / f"orthanc-{kind}", knows_us=knows_us) as server:
            node = getattr(server, kind)
            seconds = []
            for number in range(ROUNDS):
                server.clear()
                out = folder / f"results-{kind}-{number}"
                out.mkdir()
                begun = time.perf_counter()
                objects = [path for path in write_all(result, out, prove=prove) if path.suffix == ".dcm"]
                written = time.perf_counter()
                delivery = send(objects, node)
                seconds.append((written - begun, time.perf_counter() - written))
                assert delivery.outcome is Outcome.FOUND, delivery
            write, deliver = (statistics.median(part) for part in zip(*seconds, strict=True))
            prepare = (
                f"from medimg.nodes import {type(node).__name__}, send\n"
                "import pathlib, pydicom, pynetdicom, urllib3\n"
                "from pathlib import PosixPath"
            )
            peak = peak_mib(prepare, f"send({[str(path) for path in objects]!r}, {node!r})")
            print(f"\nobjects of a study ({', '.join(path.name for path in objects)}) by {words}, median of {ROUNDS}")
            print(
                f"  written and proven {write:.2f} s, sent and found again {deliver:.2f} s; sending takes {peak:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        against_storescu(Path(scratch))
        a_study(Path(scratch))
