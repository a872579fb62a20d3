"""`python -m medimg.training evaluate DATA`: a card's figures again. The other steps: how a model was made."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg.errors import MedimgError
from medimg.training.config import read_config

if TYPE_CHECKING:
    from medimg.training import Chest, Cubes

COLLECTION, LICENCE = "LIDC-IDRI", "CC BY 3.0"  # of the data that these steps were written for


def main(arguments: list[str] | None = None) -> int:
    """Run one of the steps; DATA is a folder with `lidc_nodules/` and `whole_chest/`."""
    parser = argparse.ArgumentParser(prog="python -m medimg.training", description=__doc__)
    parser.add_argument("step", choices=("detect", "mine", "outline", "package", "opinion", "calibrate", "evaluate"))
    parser.add_argument("data", type=Path, help="folder with lidc_nodules/ and whole_chest/")
    parser.add_argument("--work", type=Path, default=Path("training_work"), help="folder for checkpoints")
    parser.add_argument("--model", default="lung-nodule", help="name of a model, or folder of its package")
    parser.add_argument("--split", default="val", choices=("train", "val", "test"), help="which cubes to measure on")
    parser.add_argument("--write", action="store_true", help="put what was measured into the card (evaluate)")
    parser.add_argument("--robustness", action="store_true", help="also with thicker slices, more noise ... (evaluate)")
    parser.add_argument("--output", type=Path, help="folder for plots, cases and the picture of failures (evaluate)")
    parser.add_argument("--only", default="", help="the score to calibrate; the others stay (calibrate)")
    parser.add_argument("--config", type=Path, help="TOML with [detect] and [outline]: steps, learning_rate ...")
    parser.add_argument("--device", default="cpu", help="where detect and outline train: cpu, cuda, mps")
    parser.add_argument("--start-from", type=Path, help="checkpoint that gives the first weights (outline)")
    options = parser.parse_args(arguments)
    try:
        return globals()[f"_{options.step}"](options)
    except MedimgError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _cubes(options: argparse.Namespace, *splits: str) -> Cubes:
    """Read cubes, with the marks of one or two readers where their table is there."""
    from medimg.training import read_cubes
    from medimg.training.marks import TABLE, mark_ignored

    cubes = read_cubes(options.data / "lidc_nodules", splits=splits)
    if (options.data / TABLE).exists():
        mark_ignored(cubes, options.data / TABLE)
    return cubes


def _training_data(options: argparse.Namespace) -> tuple[Cubes, list[Chest]]:
    from medimg.training import read_chests

    options.work.mkdir(parents=True, exist_ok=True)
    cubes = _cubes(options, "train")
    return cubes, [chest for chest in read_chests(options.data / "whole_chest") if chest.split == "train"]


def _schedule(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the configuration says of a step."""
    return read_config(options.config).get(options.step, {}) if options.config else {}


def _detect(options: argparse.Namespace) -> int:
    from medimg.training.detect_centres import train_detector

    cubes, chests = _training_data(options)
    train_detector(cubes, chests, checkpoint=options.work / "detect.pt", device=options.device, **_schedule(options))
    return 0


def _mine(options: argparse.Namespace) -> int:
    from medimg.training.mine import mine

    cubes, chests = _training_data(options)
    mine(options.work / "detect.pt", cubes, chests).save(options.work / "others.npz")
    return 0


def _outline(options: argparse.Namespace) -> int:
    from medimg.training.mine import Places
    from medimg.training.outline_and_rate import train_outline

    cubes, chests = _training_data(options)
    others = options.work / "others.npz"
    train_outline(
        cubes,
        checkpoint=options.work / "outline.pt",
        places=Places.load(others) if others.exists() else None,
        chests=chests,
        device=options.device,
        start_from=options.start_from,
        **_schedule(options),
    )
    return 0


def _package(options: argparse.Namespace) -> int:
    from medimg.models import load_package
    from medimg.training import read_chests
    from medimg.training.package_model import package_weights
    from medimg.training.patients import write_patients

    folder = load_package(options.model).folder
    package_weights(folder, {f"{name}.safetensors": options.work / f"{name}.pt" for name in ("detect", "outline")})
    cubes = _cubes(options, "train", "val")
    chests = read_chests(options.data / "whole_chest")
    write_patients(folder / "patients.csv", cubes, chests, collection=COLLECTION, licence=LICENCE)
    return 0


def _opinion(options: argparse.Namespace) -> int:
    from medimg.models import load_package
    from medimg.training.second_opinion import fit_second_opinion, write_second_opinion

    opinion = fit_second_opinion(_cubes(options, "train"))
    write_second_opinion(load_package(options.model).folder, opinion)
    for term in opinion.terms:
        print(f"{term.words}: {term.weight:+.3f}")
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from medimg.engine import load_model
    from medimg.training import read_chests
    from medimg.training.calibrate import calibrate, write_lines

    model = load_model(options.model)
    cubes = _cubes(options, "val")
    chests = [chest for chest in read_chests(options.data / "whole_chest") if chest.split == "val"]
    lines = calibrate(model, cubes, chests, everyone=(_cubes(options, "train"), cubes), only=options.only)
    write_lines(model.package.folder, lines)
    for name, line in lines.items():
        cuts = f", cuts {', '.join(f'{cut:.3f}' for cut in line.cuts)}" if line.cuts else ""
        print(f"{name}: weights {', '.join(f'{value:.3f}' for value in line.weights)}, intercept {line.intercept:.3f}{cuts}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from medimg.engine import load_model
    from medimg.training import evaluate, write_evaluation
    from medimg.training.evidence import write_evidence

    model = load_model(options.model)
    done = evaluate(model, options.data, split=options.split, robustness=options.robustness)
    figures = done.to_dict()
    if options.output is not None:
        write_evaluation(done, options.output)
    print(json.dumps(figures, indent=2))
    if options.write:
        write_evidence(model.package.folder, options.split, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
