"""The public names, so that a change of them is seen."""

from __future__ import annotations

import importlib
import types

import pytest

PUBLIC = {
    "medimg": {
        "bridges", "errors", "measures", "models", "nodes", "preprocessing", "readers", "reports", "runs", "saliency", "values",
        "writers",
        "read", "read_all", "read_mask", "read_rtstruct", "read_seg", "read_sr", "load_model",
        "convert", "infer", "inspect", "overlay",
        "body", "clip", "crop", "denoise", "gaussian", "lungs", "orient", "resample", "window",
    },
    "medimg.values": {
        "Code", "Finding", "Grid", "Hazard", "Heatmap", "Mask", "Measurement", "MeasurementGroup", "MeasurementReport",
        "Measures", "Part", "Prediction", "Proof", "Provenance", "Region", "RunResult", "Score", "Segment", "Series",
        "Skipped", "SourceSlice", "Study", "StudyResult", "Verdict", "Volume",
    },
    "medimg.nodes": {
        "Delivery", "DimseNode", "Node", "Outcome", "Sent", "WebNode", "add_node", "echo", "find_node", "is_there", "list_nodes",
        "make_node", "send", "Fetched", "Outbox", "RunDelivery", "fetch", "infer_and_send",
    },
    "medimg.runs": {"Conversion", "Inspection", "convert", "infer", "inspect", "overlay"},
    "medimg.cli": {"main", "parser_of"},
}  # fmt: skip


@pytest.mark.parametrize("room", PUBLIC)
def test_the_names_are_those_agreed(room):
    assert set(importlib.import_module(room).__all__) == PUBLIC[room]


@pytest.mark.parametrize("room", PUBLIC)
def test_every_name_can_be_had_and_says_what_it_is(room):
    module = importlib.import_module(room)
    for name in module.__all__:
        assert getattr(module, name).__doc__, f"{room}.{name} has no docstring"


def test_a_step_is_a_function_also_after_its_module_was_imported():
    importlib.import_module("medimg.preprocessing.gaussian")
    importlib.import_module("medimg.runs.inspect")
    medimg = importlib.import_module("medimg")
    assert isinstance(medimg.gaussian, types.FunctionType)
    assert isinstance(medimg.inspect, types.FunctionType)


def test_every_room_of_functions_has_a_front():
    medimg = importlib.import_module("medimg")
    for room in PUBLIC["medimg"]:
        if isinstance(getattr(medimg, room), types.ModuleType) and room != "errors":
            assert importlib.import_module(f"medimg.{room}").__all__
