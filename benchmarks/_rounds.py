"""Time cases in turn, round by round, and measure the peak memory of a fresh process."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9


def compare(title: str, ours: str, cases: dict[str, Callable[[], object]], *, reach: float | None = None) -> float:
    """Run every case in each of nine rounds and print the median of ours / the fastest other, round by round."""
    for case in cases.values():
        case()
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            gc.collect()
            begun = time.perf_counter()
            result = case()
            times[name].append(time.perf_counter() - begun)
            del result
    best = [min(times[name][k] for name in cases if name != ours) for k in range(ROUNDS)]
    ratio = statistics.median(mine / other for mine, other in zip(times[ours], best, strict=True))
    wanted = f", to reach: {reach:g}" if reach else ""
    print(f"\n{title}: {ratio:.3f} of the fastest other{wanted}   (load {os.getloadavg()[0]:.1f})")
    for name, values in times.items():
        print(f"  {name:<34} median {statistics.median(values):8.4f} s   least {min(values):8.4f} s", flush=True)
    return ratio


def peak_mib(prepare: str, code: str) -> float:
    """Return how far the memory of a fresh Python rises while it runs `code`, above what `prepare` left resident (MiB)."""
    script = f"""
{prepare}
from pathlib import Path
def memory(field):
    return next(int(line.split()[1]) for line in Path('/proc/self/status').read_text().splitlines() if line.startswith(field))
Path('/proc/self/clear_refs').write_text('5')  # sets VmHWM back to what is resident now (proc(5))
before = memory('VmRSS')
{code}
print((memory('VmHWM') - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE)
    return float(json.loads(done.stdout))
