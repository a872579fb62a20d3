"""What is there is found, though a node shows only a part of a long list."""

from __future__ import annotations

import pydicom
import pytest

from medimg.nodes import Outcome, send
from tests.builders.peers import Archive, scp, stored, uids_in, web


@pytest.mark.parametrize("end_status", [0x0000, 0xFE00, 0xA700])
@pytest.mark.parametrize("most", [1, 5])
def test_a_pacs_that_cuts_a_list_off_is_asked_one_by_one(source, most, end_status):
    """Orthanc (LimitFindResults) says so at the end of a part, others say nothing."""
    with scp(most=most, end_status=end_status) as (node, held):
        delivery = send(source, node)
    assert delivery.outcome is Outcome.FOUND
    assert len(delivery.sent) == len(held) == 16


def test_an_archive_that_cuts_a_list_off_is_asked_one_by_one(source):
    uids = [str(pydicom.dcmread(path).SOPInstanceUID) for path in source.iterdir()]
    with web(Archive(stow=lambda body: stored(*uids_in(body)), there=uids, most=5)) as node:
        assert send(source, node).outcome is Outcome.FOUND
    with web(Archive(stow=lambda body: stored(*uids_in(body)), there=uids[:15], most=5)) as node:
        delivery = send(source, node, found_within_s=0)
    assert [sent.instance_uid for sent in delivery.of(Outcome.FAILED)] == uids[15:]
    assert "does not have it" in delivery.of(Outcome.FAILED)[0].reason
