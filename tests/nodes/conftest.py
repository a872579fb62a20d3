"""Instances to send; an outbox, and an archive that stands in for a real one."""

from __future__ import annotations

import importlib
import random

import pytest

from medimg.nodes import DimseNode, Outbox, add_node
from tests.builders.archive import Archive, Clock
from tests.builders.study import grid_of, study_result


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A folder with `seg.dcm`, and one with its source, 16 slices of CT."""
    from medimg.reports import seg

    folder = tmp_path_factory.mktemp("results")
    result = study_result(folder / "source", grid=grid_of(shape=(16, 64, 64)))
    (folder / "out").mkdir()
    seg.write(result, folder / "out")
    return folder


@pytest.fixture
def seg_file(results):
    return results / "out" / "seg.dcm"


@pytest.fixture
def source(results):
    return results / "source"


@pytest.fixture
def archive(monkeypatch):
    made = Archive()
    monkeypatch.setattr(importlib.import_module("medimg.nodes.send"), "send", made.send)
    monkeypatch.setattr(importlib.import_module("medimg.nodes._found"), "is_there", made.is_there)
    monkeypatch.setattr(importlib.import_module("medimg.nodes.echo"), "echo", made.echo)
    return made


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "pacs.toml"
    for name in ("archive", "other"):
        add_node(DimseNode(name=name, host="127.0.0.1", port=4242, ae_title="ARCHIVE"), pacs_config=path)
    return path


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outbox(tmp_path, config, clock):
    with Outbox(tmp_path / "outbox", pacs_config=config, clock=clock, chance=random.Random(1)) as made:
        yield made
