"""Sends from the outbox to a real Orthanc while the sender, Orthanc or both are killed: is anything lost, or there twice?

Usage: python benchmarks/outbox.py [RUNS] [--seed N]

Each run puts a study of 24 new objects (256 KiB each) into one outbox, and begins to send it in a process of its own, by DIMSE
and DICOMweb in turns. At a random moment of the half second after that SIGKILL falls. Orthanc is started again over the same
storage if it was killed, and new processes send what is due. In the end every instance in the archive is counted, and the MD5
of its data set compared with that of what was put.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.builders.killed import trial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = trial(Path(folder), runs=args.runs, seed=args.seed)
    print(f"runs: {tally.runs}; killed: {dict(tally.killed)}; the blow fell {dict(tally.struck)} of the send")
    print(f"sends after the blow until all was delivered: {dict(sorted(tally.rounds.items()))}")
    print(f"put: {tally.put}; in the archive: {tally.in_archive}")
    print(f"lost: {len(tally.lost)}; twice: {len(tally.twice)}; with another MD5: {len(tally.changed)}; ", end="")
    print(f"unknown: {len(tally.unknown)}; not delivered by the outbox's own account: {tally.not_delivered}")
    return 0 if tally.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
