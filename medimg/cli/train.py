"""`medimg train`: a model from one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medimg.cli._parser import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "Train a model from a configuration and data with outlines; a run that was killed goes on where it was."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments; each is a keyword of `medimg.training.train`."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="a TOML file like configs/training.toml")
    parser.add_argument(
        "--data",
        metavar="DATA",
        type=Path,
        help="folder of nodule cubes and whole scans, or a CSV list of scans and masks, with splits train and val (default: what "
        "CONFIG says)",
    )
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, required=True, help="where checkpoints, logs and the finished model go"
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where the networks are trained (default: cpu)"
    )
    parser.add_argument("--quiet", action="store_true", default=False, help="show no progress")


def run(args: Namespace) -> int:
    """Call `train`, show its progress on stderr and the folder of the model on stdout."""
    from medimg.cli import _progress
    from medimg.training import train

    with _progress.shown(quiet=args.quiet) as progress:
        folder = train(args.config, progress=progress, **options(args, "config", "quiet"))
    print(folder)
    return 0
