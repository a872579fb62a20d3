"""Write docs/commands.md from the parsers, so that the page says what the commands do.

Usage: python docs/make_commands.py
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools import registry
from medimg.cli import parser_of

if TYPE_CHECKING:
    import argparse

PAGE = Path(__file__).parent / "commands.md"
FUNCTIONS = {
    "convert": "medimg.convert",
    "evaluate": "medimg.training.evaluate",
    "fetch": "medimg.nodes.fetch",
    "infer": ("medimg.infer", "medimg.nodes.infer_and_send"),
    "inspect": "medimg.inspect",
    "overlay": "medimg.overlay",
    "send": "medimg.nodes.send",
    "train": "medimg.training.train",
}  # the public function behind a command; two, where a second one does more
HEAD = """# Commands

<!-- made by docs/make_commands.py from the parsers; change those, and run it again -->

Results go to stdout, progress and errors to stderr; [exit codes](errors.md). Every option has the name of the Python keyword
behind it (`--all-series`, `all_series`), and its default is that of the function. `--version` and `--debug` (the traceback, and
the warnings of libraries; these may hold patient data) work with every command.
"""
TAIL = """
## What `medimg inspect --json` prints

`{"schema": "medimg.inspection/1", "studies": [...], "skipped": [...]}`

- A study has `name` (a short hash) and `series`.
- A series has `name`, `reader`, `modality`, `files` (how many), `grid`, `kernel`, `thickness_mm`, `body_part`, `manufacturer`,
  `patient_position`, `suv_factor` (what PET in Bq/ml is multiplied with to be SUV by body weight, or null), `verdict`
  (`exact`, `noted`, `repaired`, `split`, `refused`), `hazards` (each `kind`, `verdict`, `sentence`,
  `files`) and `models` (each `name`, `fits`, `reason`).
- A grid has `shape` and `spacing_mm` (slice, row, column), `origin_mm` and `affine` (LPS millimetres), `axis_codes`, `straight`.
- An item of `skipped` has `what` and `reason`.

## What `medimg convert` writes, and `--json` prints

Beside `NAME.nii.gz` (`.nii`, `.nrrd`) lies `NAME.json`. It has the header's words under the names that BIDS gives them (times in
seconds, lengths in millimetres), and under `medimg` the `name`, `reader`, `files`, `grid`, `verdict` and `hazards` as above,
`unit` ("HU", "" where the file says nothing), `inverted` (MONOCHROME1), and `unmeasured_slices`: places of the grid, counted from
0, at which nothing was measured and the nearest slice stands. It names nobody unless `--identify` is given; free text, dates and
UIDs are left out with the name.

`--json` prints `{"schema": "medimg.conversion/1", "files": [...], "series": [...], "skipped": [...]}`.

## What `medimg overlay --json` prints

What `medimg infer --json` prints ([findings](findings.md)), with one study; [overlay](overlay.md) says what becomes of a mask.

## What `medimg evaluate` measures, and `--json` prints

`--data` is a folder of nodule cubes (`labels.csv` beside `cubes_*.npy.xz` and `masks_*.npy.xz`), of whole scans (`lesions.csv`
beside `NAME/info.json` and `NAME/volume.npy.xz`), or one that holds both; or a CSV (commas, semicolons or tabs) with a
line a scan: `image` and `mask`
(NIfTI, NRRD, MHA, DICOM; the mask may be a DICOM SEG), relative to the list, `patient_id`, and where known `split`,
`manufacturer`, `malignant` (0 or 1), `malignancy_mean`, `texture_mean` and `calcification_mean` (LIDC's scales). Without
`--split` the patients that the model was made
with (`patients.csv` of its package) are left out. Nothing in the folder is executed.

`--json` prints one object with flat names. A figure is `[value, low, high]` with a 95 % interval by bootstrap over patients, null
where there is too little for it; counts are numbers. A subgroup of fewer than 20 nodules has no figure.

- `segmentation.*`: Dice, normalized surface Dice at 1 mm, 95th percentile of the surface distance and volume error of the outline
  from a point up to 5 mm off the centre, by size, texture and maker; `end_to_end_dice_mean` from the model's own search, in
  which
  a miss counts 0.
- `malignancy.*`: suspicion against a mean rating above or below 3: areas under curves, what the operating point gives (also
  PPV and
  NPV at other shares of suspicious nodules), `calibration_slope`, `calibration_intercept`, `brier`, `ece` and
  `ece_if_perfect` (what a
  perfectly calibrated score would have at this size). `baseline_auroc` is of the card's second opinion on the readers' own
  outlines,
  `auroc_gain` what suspicion has more, case by case.
- `texture.*`, `calcification.*`: the same for what radiologists say of texture and calcification, with counts, because some
  are few.
- `detection.sensitivity_at_R_fp_per_litre`: found in their cubes at R false positives a litre of what is searched in them.
- `whole_scans`: raw counts for each scan, by LUNA16's rule.

`--output` writes `figures.json`, `cases.csv` (a line a nodule), a PNG for each plot, and `evaluation.html`, which holds all
of it.

## What `medimg train` does

`CONFIG` has tables `[data]` (`path`, relative to the file; `collection` and `licence`, which `patients.csv` names), `[model]`
(`name`, `version`, `summary`, `licence`, `training`: words for the card, which takes none of them from another model; `base`: the
model whose limits and operating point are taken over),
`[detect]` and `[outline]` (`steps`, `learning_rate`, `weight_decay`, `seed`, `limit_s`,
crops a step; `check_every` and `patience` end a run that gets no better on the validation patients). The splits `train` and `val`
of the data are used, no other. A score that no rating in the data taught (suspicion needs `malignant`, 0 and 1; texture and
calcification LIDC's means) is none of the model's.

`FOLDER/work` holds checkpoints and, where `tensorboard` is installed, its logs (`tensorboard --logdir FOLDER/work`);
`FOLDER/model`
is the finished package: `medimg infer SCAN --model FOLDER/model`.
The same command takes up a run that was killed, on the same data. Several
processes share a training: `torchrun --nproc-per-node 2 -m medimg train CONFIG --output FOLDER`.

## What `medimg send --json` prints

`{"schema": "medimg.delivery/1", "node": NAME, "outcome": OUTCOME, "sent": [...], "skipped": [...], "seconds": S}`

- An item of `sent` has `instance_uid`, `class_uid`, `file` (its name), `outcome`, `reason` (empty where it was found), `note`
  (what was done to it on the way), `in_place_of` (the instance UID of the label map that the node did not take) and `retry`
  (a later try may succeed).
- `outcome` is `found`, `accepted` or `failed`, as on the page [PACS](pacs.md); that of the delivery is the worst of them.
- An item of `skipped` has `what` and `reason`.

What `medimg infer --json` prints is on the page [findings](findings.md).
"""


def page() -> str:
    """Return the page."""
    return HEAD + "".join(_command(name) for name in registry.names("medimg.cli")) + TAIL


def _command(name: str) -> str:
    parser = parser_of(name)
    actions = [action for action in parser._actions if action.dest not in ("help", "version", "debug")]
    positional = " ".join(_positional(action) for action in actions if not action.option_strings)
    words = "".join(f"- `{action.metavar}`: {action.help}\n" for action in actions if not action.option_strings)
    options = "".join(_row(action, name) for action in actions if action.option_strings)
    behind = f" In Python: {', '.join(f'`{one}`' for one in _functions(name))}." if name in FUNCTIONS else ""
    return (
        f"\n## medimg {name}\n\n{parser.description}{behind}\n\n`medimg {name} {positional} [OPTIONS]`\n\n{words}"
        f"\n| option | keyword | |\n| --- | --- | --- |\n{options}"
    )


def _positional(action: argparse.Action) -> str:
    return {"+": f"{action.metavar}...", "?": f"[{action.metavar}]"}.get(str(action.nargs), str(action.metavar))


def _row(action: argparse.Action, command: str) -> str:
    value = f" {action.metavar}" if action.nargs != 0 else ""
    keyword = f"`{action.dest}`" if action.dest in _keywords(command) else ""
    return f"| `{action.option_strings[-1]}{value}` | {keyword} | {action.help} |\n"


def _keywords(command: str) -> set[str]:
    keywords: set[str] = set()
    for path in _functions(command):
        module, _, function = path.rpartition(".")
        keywords |= set(inspect.signature(getattr(importlib.import_module(module), function)).parameters)
    return keywords


def _functions(command: str) -> tuple[str, ...]:
    behind = FUNCTIONS.get(command, ())
    return (behind,) if isinstance(behind, str) else behind


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
