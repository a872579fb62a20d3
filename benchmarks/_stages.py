"""Run `medimg.infer` in a process of its own and measure seconds and peak memory of each stage."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLEAR_PEAK = "5"  # written to clear_refs, Linux sets VmHWM back to what is resident now (proc(5))


def measure(scan: Path) -> dict[str, object]:
    """Return what a fresh process measured of `medimg infer scan` with the default options."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        command = [sys.executable, __file__, str(scan), folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout) | {"wall_s": time.perf_counter() - begun}


def show(measured: dict[str, object]) -> None:
    """Print the table."""
    print(f"{'stage':<12}{'seconds':>9}{'peak MiB':>10}")
    for name, seconds, peak_mib in measured["stages"]:
        print(f"{name:<12}{seconds:>9.1f}{peak_mib:>10.0f}")
    peak_mib = max(peak for *_, peak in measured["stages"])
    print(f"{'all':<12}{measured['wall_s']:>9.1f}{peak_mib:>10.0f}   with the start of Python, {measured['findings']} findings")


def _peak_mib(*, clear: bool = False) -> float:
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    if clear:
        Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    return peak / 1024


def _child(scan: str, output: str) -> None:
    import medimg

    stages, begun = [("load", time.perf_counter())], []

    def progress(stage: str, _done: int, _total: int) -> None:
        if stage != stages[-1][0]:
            _end()
            stages.append((stage, time.perf_counter()))

    def _end() -> None:
        begun.append((stages[-1][0], time.perf_counter() - stages[-1][1], _peak_mib(clear=True)))

    result = medimg.infer(scan, output=output, progress=progress)
    _end()
    print(json.dumps({"stages": begun, "findings": len(result.findings)}))


if __name__ == "__main__":
    _child(*sys.argv[1:])
