"""CPU-seconds (user and system) of starting: `medimg --help`, beside what the libraries cost that it must not load."""

from __future__ import annotations

import resource
import subprocess
import sys

ROUNDS = 5
COMMANDS = {
    "medimg --help": ["-m", "medimg", "--help"],
    "import medimg": ["-c", "import medimg"],
    "import numpy": ["-c", "import numpy"],
    "import torch": ["-c", "import torch"],
    "import monai": ["-c", "import monai"],
}


def cpu_s(words: list[str]) -> float:
    """Return the CPU-seconds of one fresh Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    least = {name: min(cpu_s(words) for _ in range(ROUNDS)) for name, words in COMMANDS.items()}
    print(f"{'least of ' + str(ROUNDS):<16}{'CPU-s':>7}{'ratio to medimg --help':>25}")
    for name, seconds in least.items():
        print(f"{name:<16}{seconds:>7.2f}{seconds / least['medimg --help']:>25.1f}")
