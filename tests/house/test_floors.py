"""Rooms import downwards only."""

from __future__ import annotations

import ast

import pytest
from importlinter.cli import lint_imports

from medimg._tools import registry

HEAVY = {
    "torch",
    "monai",
    "itk",
    "SimpleITK",
    "scipy",
    "skimage",
    "pydicom",
    "pynetdicom",
    "urllib3",
    "nibabel",
    "highdicom",
    "imagecodecs",
    "PIL",
    "jinja2",
    "matplotlib",
}


def test_every_import_goes_down(root, monkeypatch):
    monkeypatch.chdir(root)
    assert lint_imports(config_filename="setup.cfg", cache_dir=None) == 0


def modules(root):
    return sorted(path for path in (root / "medimg").rglob("*.py") if path.parent != root / "medimg" / "models" / "networks")


def test_no_module_imports_a_heavy_library_when_it_is_loaded(root):
    found = []
    for path in modules(root):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found += [f"{path.relative_to(root)} imports {name}" for name in names if name.split(".")[0] in HEAVY]
    assert not found


@pytest.mark.parametrize("room", ["medimg.readers", "medimg.cli", "medimg.preprocessing", "medimg.reports"])
def test_a_room_lists_its_files_as_plugins(room):
    assert all(name.isidentifier() and not name.startswith("_") for name in registry.names(room))
    assert registry.names(room)
