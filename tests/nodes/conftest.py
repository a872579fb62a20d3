"""An outbox, its configuration, and an archive that stands in for a real one."""

from __future__ import annotations

import importlib
import random

import pytest

from medimg.nodes import DimseNode, Outbox, add_node
from tests.builders.archive import Archive, Clock


@pytest.fixture
def archive(monkeypatch):
    made = Archive()
    monkeypatch.setattr(importlib.import_module("medimg.nodes.send"), "send", made.send)
    monkeypatch.setattr(importlib.import_module("medimg.nodes._found"), "is_there", made.is_there)
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
