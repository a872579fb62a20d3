"""Train a model from a configuration and a folder of data: every step, to a package that `medimg infer --model` takes."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg._tools.files import OLD, PARTIAL, whole_file, whole_folder
from medimg.engine import load_model
from medimg.errors import OptionError
from medimg.models import load_package
from medimg.models.card import CARD_FILE
from medimg.training._parallel import Team
from medimg.training.calibrate import calibrate, write_lines
from medimg.training.cases import collect
from medimg.training.chests import Chest, read_chests
from medimg.training.config import read_config
from medimg.training.cubes import Cubes, read_cubes
from medimg.training.detect_centres import train_detector
from medimg.training.evaluate import Evaluation
from medimg.training.evidence import write_evidence
from medimg.training.figures import figures as measured
from medimg.training.lists import read_list
from medimg.training.marks import TABLE, mark_ignored
from medimg.training.mine import Places, mine
from medimg.training.outline_and_rate import train_outline
from medimg.training.own_card import begin_card, has_both, keep_scores, rated
from medimg.training.package_model import package_weights
from medimg.training.patients import write_patients
from medimg.training.second_opinion import fit_second_opinion, write_second_opinion

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, int, int], None]

TRAIN, VAL = "train", "val"  # splits of the data: what is learnt from, and what thresholds and calibration are chosen on
MODEL, WORK = "model", "work"  # folders of the output: the package, and checkpoints with their logs
DATA = "data.sha256"  # in WORK: what the checkpoints have seen


def train(
    config: str | Path,
    *,
    output: str | Path,
    data: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train a detector and the network that outlines and rates, calibrate them on other patients, and pack them as a model.

    `config` is a TOML file like configs/training.toml; `data` (or its `[data] path`, relative to it) a folder of nodule cubes,
    of whole scans beside them, or a list of scans and masks, with splits `train` and `val`. A run that was killed at any moment
    goes on where it was when it is called again with the same output. Under `torchrun` the processes share the training.

    Returns:
        The folder of the model's package.

    Raises:
        OptionError: the configuration says something that is not understood, or there is no data.
        ScanError: the data cannot be read, or has no patients of one of the splits.
    """
    team, tables = Team(device), read_config(config)
    place = _data(Path(config), tables, data)
    output, show = Path(output), progress or (lambda stage, done, total: None)
    work = output / WORK
    work.mkdir(parents=True, exist_ok=True)
    cubes, others = _cubes(place, TRAIN), _cubes(place, VAL)
    chests = [chest for chest in _chests(place) if chest.split in (TRAIN, VAL)]
    of_train = [chest for chest in chests if chest.split == TRAIN]
    _same_data(work / DATA, (cubes, others), chests, writes=team.is_first)
    if team.is_first:
        _sweep(output / MODEL)
    told = tell if team.is_first else (lambda line: None)
    detector = work / "detect.pt"
    train_detector(
        cubes,
        of_train,
        checkpoint=detector,
        others=others,
        device=device,
        tell=told,
        progress=lambda done, total: show("detector", done, total),
        **tables.get("detect", {}),
    )
    found = work / "others.npz"
    if team.is_first and not found.exists():
        show("look for what the detector takes for nodules", 0, 1)
        partial = found.with_name("others.partial.npz")
        mine(detector, cubes, of_train).save(partial)
        partial.replace(found)
    team.wait()
    train_outline(
        cubes,
        checkpoint=work / "outline.pt",
        places=Places.load(found),
        chests=of_train,
        others=others,
        device=device,
        tell=told,
        progress=lambda done, total: show("outlines and ratings", done, total),
        **tables.get("outline", {}),
    )
    if team.is_first:
        _pack(output / MODEL, work, tables, cubes, others, chests, show)
    team.wait()
    return output / MODEL


def _pack(
    target: Path,
    work: Path,
    tables: dict[str, dict[str, Any]],
    cubes: Cubes,
    others: Cubes,
    chests: list[Chest],
    show: Progress,
) -> None:
    """Make the package whole or not at all: card, weights, patients, second opinion, calibration, figures on val."""
    words, told = tables.get("model", {}), tables.get("data", {})
    with whole_folder(target) as folder:
        base = load_package(words.get("base", "lung-nodule"))
        shutil.copy(base.folder / CARD_FILE, folder / CARD_FILE)
        begin_card(folder, base.card, words, channels=tables.get("outline", {}).get("channels"))
        package_weights(folder, {f"{name}.safetensors": work / f"{name}.pt" for name in ("detect", "outline")})
        write_patients(
            folder / "patients.csv",
            _together(cubes, others),
            chests,
            collection=told.get("collection", ""),
            licence=told.get("licence", ""),
        )
        show("second opinion", 0, 1)
        keep_scores(folder, base.card, rated(cubes))
        if has_both(cubes):
            write_second_opinion(folder, fit_second_opinion(cubes))
        show("calibration", 0, 1)
        model = load_model(folder)
        of_val = [chest for chest in chests if chest.split == VAL]
        lines = calibrate(model, others, of_val, everyone=(cubes, others))
        write_lines(folder, lines)
        keep_scores(folder, base.card, lines)
        model = load_model(folder)
        cases = collect(model, others, tell=lambda done, total: show("figures", done, total))
        figures = Evaluation(figures=measured(model.card, cases)).to_dict()
        write_evidence(folder, VAL, figures)
        (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _sweep(target: Path) -> None:
    """Remove what a packing that was killed left beside the package; a former package that it had moved away comes back.

    Only folders with a model's card are touched: others may be somebody's results on their way.
    """
    for left in sorted(target.parent.glob(f"{PARTIAL}*")):
        if left.is_symlink() or not (left / CARD_FILE).is_file():
            continue
        if left.name.endswith(OLD) and not target.exists():
            left.rename(target)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _data(config: Path, tables: dict[str, dict[str, Any]], data: str | Path | None) -> Path:
    if data is not None:
        return Path(data)
    told = tables.get("data", {}).get("path")
    if not told:
        raise OptionError("data", None, "a folder of nodule cubes or a list of scans and masks, here or in the configuration")
    return config.parent / told


def _same_data(path: Path, parts: tuple[Cubes, ...], chests: list[Chest], *, writes: bool) -> None:
    """Refuse to go on with checkpoints that other data made: the new list of patients would not name whom they have seen.

    Raises:
        OptionError: the folder holds a training on other data.
    """
    known = sha256()
    for part in parts:
        known.update(part.hu.tobytes())
        known.update(part.mask.tobytes())
        known.update(json.dumps([[row["patient_id"], row["split"]] for row in part.rows]).encode())
    for chest in chests:
        known.update(json.dumps([chest.whose, chest.split, *chest.volume.shape]).encode())
    if path.exists() and path.read_text(encoding="utf-8").strip() != known.hexdigest():
        raise OptionError("output", path.parent.parent.name, "another folder: this one holds a training on other data")
    if writes and not path.exists():
        with whole_file(path) as partial:
            partial.write_text(f"{known.hexdigest()}\n", encoding="utf-8")


def _cubes(place: Path, split: str) -> Cubes:
    if place.is_file():
        return read_list(place, splits=[split])
    folder = next((path for path in (place, place / "lidc_nodules") if (path / "labels.csv").exists()), place)
    cubes = read_cubes(folder, splits=[split])
    if (place / TABLE).exists():
        mark_ignored(cubes, place / TABLE)
    return cubes


def _chests(place: Path) -> list[Chest]:
    folder = next((path for path in (place, place / "whole_chest") if (path / "lesions.csv").exists()), None)
    return list(read_chests(folder)) if folder is not None else []


def _together(one: Cubes, other: Cubes) -> Cubes:
    return Cubes(hu=one.hu[:0], mask=one.mask[:0], rows=one.rows + other.rows)
