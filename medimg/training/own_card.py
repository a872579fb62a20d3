"""The card of a model that was trained on other data: of the model it was copied from only what still holds stays."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.files import whole_file
from medimg.models.card import CARD_FILE
from medimg.training.outline_and_rate import RATINGS, soft_ratings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from medimg.models import ModelCard
    from medimg.training.cubes import Cubes

WORDS = ("name", "version", "summary", "licence", "training")  # of the card that a configuration gives
HEAD = "# The card of a model made with medimg train. What each field means: docs/models/README.md\n"
HOW = (
    "Calibration was fitted on the validation patients, so that figures of the split val flatter. "
    "Values in brackets are 95 % intervals by patient."
)
AGAIN = "Measured with `medimg evaluate --model FOLDER --data DATA --split val`."
EVIDENCE = f'[evidence]\nsplit = "patients.csv"\nhow = "{HOW}"\nagain = "{AGAIN}"\n'


def begin_card(folder: Path, base: ModelCard, words: dict[str, Any], *, channels: Sequence[int] | None = None) -> None:
    """Make the card in `folder`, a copy of that of `base`, one of a new model: its words, no evidence, nothing calibrated.

    `words` are the `[model]` of the configuration. What is not said is not taken from the base: neither the licence of its
    weights, nor how it was trained and measured, nor the slopes and cuts of its scores. `channels` are those of the outlining
    network.
    """
    told = {
        "name": f"own-{base.name}",
        "version": "0.1.0",
        "licence": "not stated",
        "training": "Trained with medimg train; patients.csv lists who it has seen.",
    } | {name: value for name, value in words.items() if name in WORDS}
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    for key, value in told.items():
        text = re.sub(
            rf'^{key} = (""".*?"""|"[^"\n]*")\n',
            lambda _, key=key, value=value: f"{key} = {json.dumps(str(value), ensure_ascii=False)}\n",  # type: ignore[misc]  # binds the loop's value
            text,
            count=1,
            flags=re.MULTILINE | re.DOTALL,
        )
    text = re.sub(r"^# The card of .*\n", HEAD, text)
    text = re.sub(r"^\[\[?evidence\b.*\Z", "", text, flags=re.MULTILINE | re.DOTALL).rstrip() + f"\n\n{EVIDENCE}"
    why = f"That of {base.name} {base.version}; it was not chosen on these data."
    text = re.sub(r'(\btask = "(?:detect|classify)"\n(?:(?!\[\[).*\n)*?.*\bwhy = )"[^"]*"', rf'\g<1>"{why}"', text)
    text = text.replace("calibrated = true", "calibrated = false")
    text = re.sub(r"^(    \{ name = .*), cuts = \[[^\]]*\]", r"\1", text, flags=re.MULTILINE)
    for key, value in (("slope", 1), ("density_weight", 0), ("intercept", 0)):
        text = re.sub(rf"^(    \{{ name = .*\b{key} = )[-\d.]+", rf"\g<1>{value}.0000", text, flags=re.MULTILINE)
    if channels is not None:
        text = re.sub(
            r'(network = "outline_unet"\narguments = \{ channels = )\[[^\]]*\]', rf"\g<1>{list(map(int, channels))}", text
        )
    _write(folder, text)


def rated(cubes: Cubes) -> set[str]:
    """Return the scores that the network can learn from the cubes: suspicion where some are suspicious and some not."""
    ratings = soft_ratings(cubes)
    known = {name for name, column in zip(RATINGS[1:], ratings.T, strict=True) if not np.isnan(column).all()}
    return known if has_both(cubes) else known - {"suspicion"}


def has_both(cubes: Cubes) -> bool:
    """Say whether cubes that are suspicious and cubes that are not are among them."""
    return len(set(cubes.numbers("malignant")) & {0.0, 1.0}) == 2


def keep_scores(folder: Path, base: ModelCard, names: Collection[str]) -> None:
    """Take the scores that are not among `names` out of the card; how sure the model is that a place is a lesion stays.

    A network gives numbers for what nobody taught it, too, and they mean nothing.
    """
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    for line in base.stage("classify").scores[1:]:
        if line.name not in names:
            text = re.sub(rf'^    \{{ name = "{re.escape(line.name)}", .*\n', "", text, flags=re.MULTILINE)
    if "suspicion" not in names:
        text = re.sub(r"^\[second_opinion\]\n.*?(?=^\[)", "", text, flags=re.MULTILINE | re.DOTALL)
    _write(folder, text)


def _write(folder: Path, text: str) -> None:
    with whole_file(folder / CARD_FILE) as partial:
        partial.write_text(text, encoding="utf-8")
