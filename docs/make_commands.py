"""Write docs/commands.md from the parsers, so that the page says what the commands do.

Usage: python docs/make_commands.py
"""

from __future__ import annotations

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
    "infer": "medimg.infer",
    "inspect": "medimg.inspect",
}  # the public function behind a command
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
  `patient_position`, `verdict` (`exact`, `noted`, `repaired`, `split`, `refused`), `hazards` (each `kind`, `verdict`, `sentence`,
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
    behind = f" In Python: `{FUNCTIONS[name]}`." if name in FUNCTIONS else ""
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
    import medimg

    return set(inspect.signature(getattr(medimg, command)).parameters) if command in FUNCTIONS else set()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
