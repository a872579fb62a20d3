"""Measure a model on data: every figure of its card again, with one call."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg.engine import load_model
from medimg.errors import ScanError
from medimg.training.cases import collect
from medimg.training.chests import read_chests
from medimg.training.cubes import read_cubes
from medimg.training.evaluate_chests import evaluate_chests
from medimg.training.figures import figures
from medimg.training.lists import list_chests, read_list
from medimg.training.marks import TABLE, mark_ignored
from medimg.training.robustness import measure_robustness

if TYPE_CHECKING:
    from collections.abc import Callable

    from medimg.engine import Model
    from medimg.training.cases import Cases
    from medimg.training.cubes import Cubes

    Progress = Callable[[str, int, int], None]

CUBES, CHESTS = "labels.csv", "lesions.csv"  # what tells a folder of cubes, and one of whole scans
SCHEMA = "medimg-figures-1"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The figures of a model on a folder: `figures` by name, each [value, low, high] or a count.

    `cases` are behind them, and `cubes` behind those.
    """

    figures: dict[str, Any]
    cases: Cases | None = None
    cubes: Cubes | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values; what cannot be had is None."""
        return {name: _plain(value) for name, value in self.figures.items()}


def evaluate(
    model: str | Path | Model = "lung-nodule",
    data: str | Path = ".",
    *,
    split: str | None = None,
    device: str = "auto",
    robustness: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on nodule cubes (`labels.csv`), whole scans (`lesions.csv`), a folder of both, or a list with masks.

    A list is a CSV as `read_list` takes it.

    Without `split` everything is measured but the patients that the model was made with (`patients.csv` of its package), so that
    no figure is of data that it has seen; with it, the rows of that split, whatever it is. Nothing in the folder is executed.
    `robustness` also measures the same nodules with thicker slices, more noise, other kernels, and turned.

    Raises:
        ScanError: the folder holds neither, or nothing that may be measured.
        OptionError: the model is unknown.
    """
    loaded = load_model(model, device=device) if isinstance(model, str | Path) else model
    folder = Path(data)
    is_list = folder.is_file()
    places = [folder, *(sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ())]
    seen = patients_of(loaded) if split is None else set()
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "model": f"{loaded.card.name} {loaded.card.version}",
        "split": split or "not seen by the model",
    }
    tell = progress or (lambda stage, done, total: None)
    cubes_at = next((place for place in places if (place / CUBES).is_file() and any(place.glob("cubes_*.npy.xz"))), None)
    chests_at = next((place for place in places if (place / CHESTS).is_file()), None)
    if cubes_at is None and chests_at is None and not is_list:
        raise ScanError(
            f"{folder.name or 'The folder'} holds neither {CUBES} with cubes nor {CHESTS} with scans. Give a folder that does."
        )
    cases = cubes = None
    if cubes_at is not None or is_list:
        cubes = (
            read_list(folder, splits=[split] if split else [], without=seen)
            if cubes_at is None
            else _cubes(cubes_at, [split] if split else [], seen)
        )
        cases = collect(loaded, cubes, tell=lambda done, total: tell("cubes", done, total))
        found |= figures(loaded.card, cases)
        if robustness:
            found |= measure_robustness(loaded, cubes, tell=lambda done, total: tell("robustness", done, total))
    if is_list:
        whole = list_chests(folder, splits=[split] if split else [], without=seen)
        found |= evaluate_chests(loaded, whole, tell=lambda done: tell("scans", done, 0)).figures()
    if chests_at is not None:
        chests = [chest for chest in read_chests(chests_at) if (chest.split == split if split else chest.whose not in seen)]
        if chests:
            found |= evaluate_chests(loaded, chests, tell=lambda done: tell("scans", done, len(chests))).figures()
        elif cubes_at is None:
            raise ScanError(f"{chests_at.name} holds no scan that was asked for. Give a split that its info.json files name.")
    return Evaluation(figures=found, cases=cases, cubes=cubes)


def patients_of(model: Model) -> set[str]:
    """Return the ids of the patients that a model was made with (`patients.csv` of its package; none without that list)."""
    path = model.package.folder / "patients.csv"
    if not path.exists():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {row["patient_id"] for row in csv.DictReader(file)}


def _cubes(folder: Path, splits: list[str], without: set[str]) -> Cubes:
    cubes = read_cubes(folder, splits=splits, without=without)
    table = next((place / TABLE for place in (folder, folder.parent) if (place / TABLE).exists()), None)
    if table is not None:
        mark_ignored(cubes, table)
    return cubes


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return round(value, 5) if value == value and abs(value) != float("inf") else None
    return value
