"""A label map that a node refuses, in whatever words, goes there as the binary SEG beside it."""

from __future__ import annotations

import pydicom
import pytest

from medimg.nodes import Outcome, send
from tests.builders.objects import write_object
from tests.builders.peers import Archive, scp, stored, uids_in, web

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


@pytest.fixture
def uids(tmp_path):
    """A folder with a label map, its binary form and a picture; their instance UIDs."""
    write_object(tmp_path / "seg.dcm", 1, SOPClassUID=LABEL_MAP)
    write_object(tmp_path / "seg_binary.dcm", 2)
    write_object(tmp_path / "key_1.dcm", 3)
    return {path.name: str(pydicom.dcmread(path).SOPInstanceUID) for path in tmp_path.glob("*.dcm")}


@pytest.mark.parametrize("status", [0xC000, 0xA900, 0x0122, 0x0106])
def test_over_dimse(uids, tmp_path, status):
    with scp(status=lambda event: status if event.request.AffectedSOPClassUID == LABEL_MAP else 0) as (node, held):
        delivery = send(tmp_path, node)
    assert delivery.outcome is Outcome.FOUND
    assert {sent.file.name: sent.in_place_of for sent in delivery.sent} == {"seg_binary.dcm": uids["seg.dcm"], "key_1.dcm": ""}
    assert set(held) == {uids["seg_binary.dcm"], uids["key_1.dcm"]}
    (skipped,) = (item for item in delivery.skipped if item.what.endswith("seg.dcm"))
    assert f"0x{status:04X}" in skipped.reason


@pytest.mark.parametrize("reason", [0xC000, 0x0122, None])
@pytest.mark.parametrize("http", [200, 409])
def test_over_dicomweb(uids, tmp_path, reason, http):
    def stow(body):
        named = uids_in(body)
        if uids["seg.dcm"] not in named:
            return stored(*named)
        if reason is None:
            return 415, b"", {}
        failed = [(uid, reason) for uid in named if uid == uids["seg.dcm"]]
        return stored(*(uid for uid in named if uid != uids["seg.dcm"]), failed=failed, status=http)

    with web(Archive(stow=stow, there=[uids["seg_binary.dcm"], uids["key_1.dcm"]])) as node:
        delivery = send(tmp_path, node)
    assert delivery.outcome is Outcome.FOUND
    assert {sent.file.name: sent.in_place_of for sent in delivery.sent} == {"seg_binary.dcm": uids["seg.dcm"], "key_1.dcm": ""}


def test_one_that_may_be_taken_later_is_not_replaced(uids, tmp_path):
    with scp(status=lambda event: 0xA700 if event.request.AffectedSOPClassUID == LABEL_MAP else 0) as (node, held):
        delivery = send(tmp_path, node)
    assert [(sent.file.name, sent.retry) for sent in delivery.of(Outcome.FAILED)] == [("seg.dcm", True)]
    assert set(held) == {uids["key_1.dcm"]}
