"""`medimg models` lists the models and shows their cards."""

from __future__ import annotations

import json

from medimg.cli import main


def test_list_is_what_it_does_without_a_word(capsys):
    assert main(["models"]) == main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
    assert any(line.startswith("lung-nodule ") for line in lines)


def test_list_as_json(capsys):
    assert main(["models", "--json"]) == 0
    (card,) = [card for card in json.loads(capsys.readouterr().out) if card["name"] == "lung-nodule"]
    assert set(card) == {"name", "version", "summary", "licence"}


def test_show_prints_the_whole_card(capsys):
    assert main(["models", "show", "lung-nodule"]) == 0
    text = capsys.readouterr().out
    assert main(["models", "show", "lung-nodule", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert "research" in card["research_only"].lower()
    assert {"training", "evidence", "input", "stages"} <= set(card)
    assert all(f"{name}:" in text for name in card)
    assert "{'" not in text  # for people, as the rest of it


def test_a_wrong_name_is_answered_with_the_nearest(capsys):
    assert main(["models", "show", "lung-nodul"]) == 2
    assert "lung-nodule (the nearest)" in capsys.readouterr().err


def test_a_missing_or_needless_name(capsys):
    assert main(["models", "show"]) == 2
    assert "Give the model to show, one of: lung-nodule" in capsys.readouterr().err
    assert main(["models", "list", "lung-nodule"]) == 2
    assert "medimg models show lung-nodule" in capsys.readouterr().err
