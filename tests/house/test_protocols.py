"""A plugin is a module: each has what its room's table says."""

from __future__ import annotations

import argparse
import importlib
import inspect

import pytest

from medimg._tools import registry

# room -> functions and how their parameters begin
SHAPES = {
    "medimg.readers": {"claims": ["head"], "scan": ["paths"], "read": ["series"]},
    "medimg.models.networks": {"build": []},
    "medimg.models.importers": {"claims": ["path"], "translate": ["path"]},
    "medimg.saliency": {"explain": ["model", "volume", "finding"]},
    "medimg.reports": {"write": ["result", "folder"]},
    "medimg.clinical": {"assess": []},
    "medimg.cli": {"add_arguments": ["parser"], "run": ["args"]},
}
STEPS = "medimg.preprocessing"


def plugins(*rooms):
    return [(room, name) for room in rooms for name in known(room)]


def known(room):
    try:
        return registry.names(room)
    except ModuleNotFoundError:  # a room that is still to come
        return ()


@pytest.mark.parametrize(("room", "name"), plugins(*SHAPES))
def test_a_plugin_has_the_functions_of_its_room(room, name):
    module = importlib.import_module(f"{room}.{name}")
    for function, begins in SHAPES[room].items():
        parameters = inspect.signature(getattr(module, function)).parameters.values()
        positional = [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
        assert positional == begins, f"{function} of {name} takes {positional} by position"
        assert inspect.getdoc(getattr(module, function)), f"{function} of {name} has no docstring"
    assert module.__doc__


@pytest.mark.parametrize(("room", "name"), plugins(STEPS))
def test_a_step_takes_a_volume_and_keyword_options(room, name):
    step = getattr(importlib.import_module(f"{room}.{name}"), name)
    first, *options = inspect.signature(step).parameters.values()
    assert first.name == "volume"
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
    assert name in importlib.import_module(room).__all__, f"{name} is not in the room's stub"


@pytest.mark.parametrize(("room", "name"), plugins("medimg.reports"))
def test_a_report_object_says_what_it_needs(room, name):
    from medimg.values import StudyResult

    needs = importlib.import_module(f"{room}.{name}").NEEDS
    assert isinstance(needs, tuple)
    assert all(hasattr(StudyResult, need) or need in StudyResult.__dataclass_fields__ for need in needs)


@pytest.mark.parametrize(("room", "name"), plugins("medimg.cli"))
def test_a_command_has_a_summary_and_a_help(room, name):
    module = importlib.import_module(f"{room}.{name}")
    assert module.SUMMARY.endswith(".")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    assert all(action.help for action in parser._actions)


@pytest.mark.parametrize("room", sorted({room for room in [*SHAPES, STEPS] if known(room)}))
def test_a_room_of_plugins_writes_its_shape_down(room):
    protocol = importlib.import_module(".".join(room.split(".")[:2]) + "._protocol")
    assert any(getattr(value, "_is_protocol", False) for value in vars(protocol).values())


def test_a_packaged_model_has_a_card_weights_and_patients(root):
    folders = [path for path in (root / "medimg" / "models" / "packaged").iterdir() if path.is_dir()]
    assert folders, "the package has no model"
    for folder in folders:
        assert (folder / "model.toml").is_file()
        assert list(folder.glob("*.safetensors"))
