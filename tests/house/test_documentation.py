"""Every plugin, error and option is documented, and the pages made from the code are up to date."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import runpy

import pytest

import medimg
from medimg import errors
from medimg._tools import registry
from medimg.cli import parser_of

PAGES = {  # room -> where its plugins are described
    "medimg.readers": "readers.md",
    "medimg.preprocessing": "preprocessing.md",
    "medimg.cli": "commands.md",
}

MAKERS = ("Hazard", "BlockError", "note")


@pytest.mark.parametrize(("room", "page"), PAGES.items())
def test_every_plugin_is_on_its_page(root, room, page):
    text = (root / "docs" / page).read_text().lower()
    assert [name for name in registry.names(room) if name not in text] == []


def test_every_file_that_is_written_is_on_the_page(root):
    text = (root / "docs" / "findings.md").read_text()
    files = [importlib.import_module(f"medimg.reports.{name}").FILE for name in registry.names("medimg.reports")]
    assert [file for file in files if f"`{file}`" not in text] == []


def test_every_kind_of_hazard_is_on_the_page_of_the_readers(root):
    told = set(re.findall(r"`([a-z0-9-]+)`", (root / "docs" / "readers.md").read_text()))
    kinds = {kind for path in (root / "medimg" / "readers").glob("*.py") for kind in hazard_kinds(ast.parse(path.read_text()))}
    assert {"missing-slice", "truncated", "bad-affine"} <= kinds, "the search finds them"
    assert sorted(kinds - told - {"changed"}) == []  # `changed` is only ever an error's


def hazard_kinds(tree):
    """Find what is given as the kind of a hazard: first arguments, and tuples of a kind and words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in MAKERS:
            first = node.args[0] if node.args else None
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[1], ast.Constant | ast.JoinedStr):
            words = node.elts[1].value if isinstance(node.elts[1], ast.Constant) else "of several"
            first = node.elts[0] if isinstance(words, str) and " " in words else None
        else:
            continue
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", first.value):
            yield first.value


def test_every_model_has_a_page(root):
    for name in registry_of_models():
        assert (root / "docs" / "models" / f"{name}.md").is_file()


def test_the_page_of_a_model_is_what_its_card_says(root):
    from medimg.models import load_package

    page = runpy.run_path(str(root / "docs" / "make_models.py"))["page"]
    for name in registry_of_models():
        assert (root / "docs" / "models" / f"{name}.md").read_text() == page(load_package(name).card), "run docs/make_models.py"


def registry_of_models():
    from medimg.models import names

    assert names()
    return names()


def test_every_error_is_on_the_page_with_its_code(root):
    text = (root / "docs" / "errors.md").read_text()
    for name, error in vars(errors).items():
        if inspect.isclass(error) and issubclass(error, errors.MedimgError):
            assert f"| {error.exit_code} | `{name}` |" in text
    assert f"| {errors.SOME_STUDIES_FAILED} |" in text
    assert f"| {errors.INTERRUPTED} |" in text
    assert f"| {errors.RESULTS_WAIT} |" in text


def test_the_command_page_is_what_the_parsers_say(root):
    page = runpy.run_path(str(root / "docs" / "make_commands.py"))["page"]
    assert (root / "docs" / "commands.md").read_text() == page(), "run docs/make_commands.py"


@pytest.mark.parametrize("command", ["infer", "inspect", "overlay"])
def test_every_option_is_a_keyword_and_its_help_tells_the_default(command):
    keywords = dict(inspect.signature(getattr(medimg, command)).parameters)
    if command == "infer":  # its options of delivery are those of the function that delivers
        keywords |= inspect.signature(medimg.nodes.infer_and_send).parameters
    for action in parser_of(command)._actions:
        if not action.option_strings or action.dest in ("help", "version", "debug", "json", "quiet"):
            continue
        assert action.option_strings[-1] == "--" + action.dest.replace("_", "-")
        told = re.search(r"\(default: (.+)\)", action.help)
        default = keywords[action.dest].default
        assert (told[1] if told else None) == (str(default) if default else None)


def test_every_keyword_of_infer_is_an_option():
    keywords = {
        name for name, keyword in inspect.signature(medimg.infer).parameters.items() if keyword.kind is keyword.KEYWORD_ONLY
    }
    assert keywords - {"progress"} <= {action.dest for action in parser_of("infer")._actions}
