"""Weights that ship are learnt from open data only, and everybody can see from whose."""

from __future__ import annotations

import csv
import tomllib
from hashlib import sha256

import pytest

OPEN_PREFIX = "LIDC-IDRI-"  # CC BY 3.0; every other patient's data is non-commercial, or no patient's at all (a phantom)


def folders(root):
    found = sorted(card.parent for card in (root / "medimg" / "models" / "packaged").glob("*/model.toml"))
    assert found, "the package has no model"
    return found


def split_of(patient: str) -> str:
    """Return the split of a patient: by the first hexadecimal digit of the hash of the public id."""
    digit = int(sha256(patient.encode()).hexdigest()[0], 16)
    return "kept apart" if digit < 4 else "test" if digit < 6 else "val" if digit < 8 else "train"


def patients(folder):
    with (folder / "patients.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_case_is_of_openly_licensed_patients(root):
    for folder in folders(root):
        rows = patients(folder)
        assert rows
        assert [row["patient_id"] for row in rows if not row["patient_id"].startswith(OPEN_PREFIX)] == []


def test_every_patient_is_in_the_split_that_the_hash_gives(root):
    for folder in folders(root):
        wrong = [row["patient_id"] for row in patients(folder) if row["split"] != split_of(row["patient_id"])]
        assert not wrong


def test_every_case_is_listed_once(root):
    for folder in folders(root):
        listed = [tuple(sorted(row.items())) for row in patients(folder)]
        assert len(listed) == len(set(listed))


@pytest.mark.parametrize("field", ["licence", "training", "research_only", "evidence"])
def test_the_card_says_it(root, field):
    for folder in folders(root):
        assert tomllib.loads((folder / "model.toml").read_text())[field]


def test_the_weights_are_those_of_the_card(root):
    for folder in folders(root):
        for stage in tomllib.loads((folder / "model.toml").read_text())["stage"]:
            weights = folder / stage["weights"]["file"]
            assert sha256(weights.read_bytes()).hexdigest() == stage["weights"]["sha256"]
