"""A training configuration is read as it says, and refused in words."""

from __future__ import annotations

import argparse
import inspect

import pytest

from medimg.errors import OptionError
from medimg.training.__main__ import _schedule, main
from medimg.training.config import KEYS
from medimg.training.detect_centres import train_detector
from medimg.training.outline_and_rate import train_outline


def options(step, config):
    return argparse.Namespace(step=step, config=config)


@pytest.mark.parametrize(("step", "function"), [("detect", train_detector), ("outline", train_outline)])
def test_the_configuration_of_the_repository_names_keywords(root, step, function):
    schedule = _schedule(options(step, root / "configs" / "training.toml"))
    assert set(schedule) <= set(KEYS[step])
    assert set(KEYS[step]) <= set(inspect.signature(function).parameters)


def test_without_one_the_defaults_stand():
    assert _schedule(options("outline", None)) == {}


def test_an_unknown_key_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "mine.toml").write_text("[outline]\nstep = 5\n")
    with pytest.raises(OptionError, match=r"steps \(the nearest\)"):
        _schedule(options("outline", tmp_path / "mine.toml"))


@pytest.mark.parametrize("content", [None, "steps = "])
def test_a_file_that_is_no_configuration(tmp_path, content):
    if content:
        (tmp_path / "mine.toml").write_text(content)
    with pytest.raises(OptionError, match=r"mine\.toml"):
        _schedule(options("outline", tmp_path / "mine.toml"))


def test_a_folder_without_data(tmp_path, capsys):
    assert main(["detect", str(tmp_path), "--work", str(tmp_path / "work")]) == 3
    assert "is not a folder of nodule cubes" in capsys.readouterr().err
