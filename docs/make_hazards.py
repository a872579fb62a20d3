"""Write docs/hazards.md: what medimg and other loaders make of sixty odd series of one phantom.

Usage: python docs/make_hazards.py    needs medimg[test] and: pip install dcm2niix dicom2nifti
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from _loaders import LOADERS  # noqa: E402 - the paths come first

from tests.builders import hazards  # noqa: E402
from tests.builders.judge import judge  # noqa: E402

PAGE = ROOT / "docs" / "hazards.md"
LIMIT_S = 60
KINDS = {"right": "right", "said": "off, and said", "wrong": "wrong in silence", "refused": "refused"}
HEAVY = ("SimpleITK", "itk", "monai.transforms", "dicom2nifti.convert_dicom", "highdicom", "nibabel", "medimg.readers.dicom")
PACKAGES = {
    "SimpleITK": "SimpleITK",
    "MONAI": "monai",
    "dcm2niix": "dcm2niix",
    "dicom2nifti": "dicom2nifti",
    "highdicom": "highdicom",
}
HEAD = """# Sixty odd series, and what loaders make of them

<!-- made by docs/make_hazards.py; run it again after a change of a reader -->

One phantom, five spheres of known place, size and HU, written as sixty small series that each are odd in one way that
occurs in hospitals. Every loader is given the folder; what it returns is judged by the voxels of each sphere: within 1 mm
of where the sphere is, none lost, and 0.8 to 1.25 times as many as the slices show.

- **right**: every sphere where it is, in as many volumes as there are.
- **mm**, **lost**, **size**: given without an exception, and wrong: the worst sphere's distance, spheres whose value is
  nowhere, the worst ratio of volumes. **n of m**: of several volumes fewer or more came. **made up**: a geometry or values
  for files that have none. A warning on the terminal alone is not counted: a program does not see it.
- *refuses*: an exception, or no file.

"""


def outcome(volumes: list, stacks: list) -> tuple[str, str]:
    """Return what a loader's volumes are: "right" or "wrong", and the words."""
    if not volumes:
        return "refused", "refuses"
    if not stacks:
        return "wrong", "**made up**"
    if "disks" in stacks[0]:
        array = volumes[0].array.squeeze()
        inverted = array.ndim != 2 or array.min() >= np.median(array) - 9
        return ("wrong", "**inverted**") if inverted else ("right", "right")
    found = [judge(volume, stacks) for volume in volumes]
    bad = [one for one in found if not one.right]
    if not bad:
        seen = len(found)
        return ("right", "right") if seen == len(stacks) else ("wrong", f"**{seen} of {len(stacks)}**")
    worst = max(bad, key=lambda one: (one.off_mm, len(one.lost)))
    words = [f"{worst.off_mm:.1f} mm"] if worst.off_mm > 1 else []
    words += [f"{len(worst.lost)} lost"] if worst.lost else []
    ratios = [ratio for ratio in worst.ratios if not 0.8 <= ratio <= 1.25]
    words += [f"size x {max(ratios, key=lambda ratio: abs(np.log(ratio))):.2f}"] if ratios and not words else []
    return "wrong", f"**{', '.join(words)}**"


def in_child(work) -> tuple[str, str]:  # noqa: ANN001 - a callable without arguments
    """Run `work` in a process of its own: some loaders die of some files."""
    with tempfile.TemporaryFile("w+") as answer:
        child = os.fork()
        if child == 0:
            signal.alarm(LIMIT_S)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            try:
                told = work()
            except BaseException:  # noqa: BLE001 - whatever it raises is a refusal
                told = ("refused", "refuses")
            json.dump(told, answer)
            answer.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        answer.seek(0)
        return ("wrong", "*dies*") if os.WIFSIGNALED(status) else tuple(json.load(answer))


def by_medimg(folder: Path, stacks: list) -> tuple[str, str]:
    """Return medimg's outcome with its verdict."""
    from medimg import readers

    studies, _ = readers.scan(folder)
    series = [item for study in studies for item in study.series]
    verdicts = sorted({str(item.verdict) for item in series})
    kind, words = outcome([readers.read_series(item) for item in series if item.is_readable], stacks)
    if kind == "wrong" and not {"exact"} & set(verdicts):
        kind, words = "said", words.strip("*") + ", and it is said where nothing was measured"
    return kind, f"{', '.join(verdicts)}: {words}" if kind != "refused" else "refused"


def main() -> int:
    """Write the page."""
    for name in HEAVY:  # once, and not in each of some four hundred processes
        import_module(name)
    rows, counts = [], {name: {"right": 0, "said": 0, "wrong": 0, "refused": 0} for name in ("medimg", *LOADERS)}
    with tempfile.TemporaryDirectory() as scratch:
        for name in hazards.NAMES:
            folder = Path(scratch) / name
            _, stacks = hazards.write(name, folder)
            cells = [in_child(lambda folder=folder, stacks=stacks: by_medimg(folder, stacks))]
            cells += [
                in_child(lambda load=load, folder=folder, stacks=stacks: outcome(load(folder), stacks))
                for load in LOADERS.values()
            ]
            for loader, (kind, _) in zip(counts, cells, strict=True):
                counts[loader][kind] += 1
            rows.append(f"| `{name}` | " + " | ".join(words for _, words in cells) + " |")
            print(rows[-1], flush=True)
    heads = "| series | " + " | ".join(counts) + " |\n|" + " --- |" * (len(counts) + 1)
    sums = [f"| *{KINDS[kind]}* | " + " | ".join(str(one[kind]) for one in counts.values()) + " |" for kind in KINDS]
    versions = ", ".join(f"{name} {version(package)}" for name, package in PACKAGES.items())
    PAGE.write_text(HEAD + f"Made with {versions}.\n\n" + "\n".join([heads, *sums, *rows]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
