"""Instances to send."""

from __future__ import annotations

import pytest

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
