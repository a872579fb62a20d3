"""`medimg evaluate`: how good a model is, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "Measure a model on data that it has not seen: outlines, suspicion, detection, each with a 95 % interval."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; each is a keyword of `medimg.training.evaluate`."""
    parser.add_argument(
        "--data",
        metavar="DATA",
        type=Path,
        required=True,
        help="nodule cubes (labels.csv), whole scans (lesions.csv), a folder of both, or a CSV list of scans and masks",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        default="lung-nodule",
        help="name of a model, or the folder of its package (default: lung-nodule)",
    )
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="measure this split of the data only (default: every patient that the model was not made with)",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where the networks run (default: auto)"
    )
    parser.add_argument(
        "--robustness",
        action="store_true",
        default=False,
        help="measure the same nodules again with thicker slices, more noise, other kernels, and turned (takes far longer)",
    )
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, default=None, help="write figures.json, cases.csv, plots and a page here"
    )
    parser.add_argument(
        "--json", action="store_true", default=False, help="print the figures as JSON, as docs/commands.md describes"
    )


def run(args: Namespace) -> int:
    """Call `evaluate` and print what it measured."""
    from medimg.cli import _json, _progress
    from medimg.training import evaluate, write_evaluation

    with _progress.shown(quiet=False) as progress:
        done = evaluate(**options(args, "json", "output"), progress=progress)
    if args.output is not None:
        write_evaluation(done, args.output)
    if args.json:
        _json.show(done.to_dict())
        return 0
    for name, value in done.to_dict().items():
        print(f"{name:<48} {_words(value)}")
    return 0


def _words(value: Any) -> str:
    if isinstance(value, list) and len(value) == 3 and not isinstance(value[0], dict):
        shown = ["-" if item is None else f"{item:.3f}" for item in value]
        return f"{shown[0]} ({shown[1]} to {shown[2]})"
    if isinstance(value, list):
        return "; ".join(", ".join(f"{key} {item}" for key, item in line.items()) for line in value)
    return f"{value:g}" if isinstance(value, float) else "-" if value is None else str(value)
