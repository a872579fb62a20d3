"""A PACS that behaves badly, each in one way: what is not delivered is said in a sentence, and what is said is true."""

from __future__ import annotations

import shutil
import socket
import struct
import threading
from dataclasses import replace

import pytest

from medimg.cli.send import exit_code
from medimg.errors import NOT_PROVEN, DeliveryError, NodeError, OptionError, ScanError
from medimg.nodes import DimseNode, Outcome, send
from tests.builders.orthanc import closed_port, data_set
from tests.builders.peers import EXPLICIT, IMPLICIT, certificate, raw, scp

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
PATIENT = ("Mustermann", "Jörg", "PID4711", "ACC4711")
AGAIN, IN_VAIN = NodeError.exit_code, DeliveryError.exit_code
BUSY_S = 5.0  # in which a peer in this process takes an association, though the machine is busy


def ended(delivery, outcome, *words, code):
    """Check how a delivery ended, that each reason says so, and that no reason names the patient."""
    assert delivery.outcome is outcome
    for sent in delivery.of(outcome):
        assert all(word in sent.reason for word in words), sent.reason
        assert not any(word in sent.reason + sent.note for word in PATIENT)
    assert exit_code(delivery) == code
    return delivery


def test_what_arrives_is_what_was_sent_and_is_found_again(results):
    with scp() as (node, held):
        delivery = ended(send(results, node), Outcome.FOUND, code=0)
    assert len(held) == len(delivery.sent) == 17
    for sent in delivery.sent:
        content, syntax, class_uid = held[sent.instance_uid]
        assert content == data_set(sent.file.read_bytes())
        assert (syntax, class_uid) == (EXPLICIT, sent.class_uid)


def test_only_the_needed_contexts_are_proposed(results):
    proposed = []

    def note(event):
        if type(event.pdu).__name__ == "A_ASSOCIATE_RQ":
            proposed.append(
                {(str(c.abstract_syntax), tuple(map(str, c.transfer_syntax))) for c in event.pdu.presentation_context}
            )

    with scp(on_pdu=note) as (node, _):
        send(results, node)
    assert proposed[0] == {(CT, (EXPLICIT,)), ("1.2.840.10008.5.1.4.1.1.66.4", (EXPLICIT,))}


def test_a_node_that_is_down(seg_file):
    node = DimseNode(name="peer", host="127.0.0.1", port=closed_port(), ae_title="PEER", timeout_s=2)
    delivery = ended(send(seg_file, node), Outcome.FAILED, "peer is down", str(node.port), code=AGAIN)
    assert delivery.sent[0].retry


def test_a_host_that_nobody_knows(seg_file):
    node = DimseNode(name="peer", host="no-such-host.invalid", port=104, ae_title="PEER", timeout_s=2)
    ended(send(seg_file, node), Outcome.FAILED, "does not know the name no-such-host.invalid", code=AGAIN)


def test_a_node_that_refuses_us(seg_file):
    with scp(require_calling=["OTHERS"]) as (node, held):
        ended(send(seg_file, node), Outcome.FAILED, "refuses the association", "MEDIMG", "own_ae_title", code=IN_VAIN)
    assert not held


def test_a_node_that_does_not_take_one_kind_of_object(results):
    with scp(classes={CT}) as (node, held):
        delivery = ended(
            send(results, node), Outcome.FAILED, "does not take objects of this kind (Segmentation Storage)", code=IN_VAIN
        )
    assert len(delivery.of(Outcome.FOUND)) == len(held) == 16, "the others are delivered"


def test_a_node_that_takes_none_of_it(seg_file):
    with scp(classes={CT}) as (node, _):
        ended(send(seg_file, node), Outcome.FAILED, "does not take objects of this kind", code=IN_VAIN)


def test_a_node_that_takes_implicit_vr_only(source):
    import numpy as np
    import pydicom
    from pynetdicom.dsutils import decode

    with scp(syntaxes=[IMPLICIT]) as (node, held):
        delivery = ended(send(source, node), Outcome.FOUND, code=0)
    for sent in delivery.sent:
        assert EXPLICIT in sent.note
        content, syntax, _ = held[sent.instance_uid]
        assert syntax == IMPLICIT
        from io import BytesIO

        back, there = decode(BytesIO(content), True, True), pydicom.dcmread(sent.file)
        assert np.array_equal(np.frombuffer(back.PixelData, "<i2"), there.pixel_array.ravel())
        assert {element.tag: str(element.value) for element in back} == {element.tag: str(element.value) for element in there}


def test_a_node_that_takes_it_and_drops_it(results):
    with scp(keeps=False) as (node, _):
        delivery = send(results, node, found_within_s=0.5)
    ended(delivery, Outcome.FAILED, "said that it took it, and does not have it when asked", code=IN_VAIN)
    assert len(delivery.of(Outcome.FAILED)) == 17


def test_a_node_that_drops_one_of_many(results):
    with scp() as (node, _):
        whole = [sent.instance_uid for sent in send(results, node).sent]
    with scp(shows=whole[1:]) as (node, _):
        delivery = ended(send(results, node, found_within_s=0.3), Outcome.FAILED, "does not have it when asked", code=IN_VAIN)
    assert [sent.instance_uid for sent in delivery.of(Outcome.FAILED)] == whole[:1]


def test_a_node_that_shows_it_a_little_later(seg_file):
    shown = []
    with scp(shows=shown) as (node, held):
        timer = threading.Timer(0.5, lambda: shown.extend(held))
        timer.start()
        ended(send(seg_file, node, found_within_s=30), Outcome.FOUND, code=0)
        timer.join()


@pytest.mark.parametrize(("peer", "words"), [({"asks": False}, "does not offer C-FIND"), ({"find_status": 0xA900}, "0xA900")])
def test_a_node_that_lets_nobody_ask(seg_file, peer, words):
    with scp(**peer) as (node, held):
        ended(send(seg_file, node), Outcome.ACCEPTED, words, code=NOT_PROVEN)
    assert len(held) == 1


def test_as_many_instances_as_were_sent_need_not_be_those(seg_file):
    """One that shows numbers only, and drops what it takes: the one that it has was there before."""
    with scp(keeps=False, find_status=lambda level: 0xA900 if level == "IMAGE" else 0) as (node, held):
        held["1.2.3"] = (b"", "", "")
        ended(send(seg_file, node, found_within_s=0.1), Outcome.ACCEPTED, "holds 1 instances, not which", code=NOT_PROVEN)
        held.clear()
        ended(send(seg_file, node, found_within_s=0.1), Outcome.FAILED, "does not have it", code=IN_VAIN)


def test_a_node_that_dies_when_it_is_asked_is_not_taken_for_one_that_lets_nobody_ask(seg_file):
    """One that is killed drops the association as one does that does not know us."""

    def die(event):
        if type(event.pdu).__name__ == "P_DATA_TF" and any(str(c.abstract_syntax) == FIND for c in event.assoc.accepted_contexts):
            event.assoc.ae.require_calling_aet = ["NOBODY"]  # and takes no association from now on
            event.assoc.abort()

    with scp(on_pdu=die) as (node, held):
        (sent,) = ended(send(seg_file, node, found_within_s=0), Outcome.ACCEPTED, "peer refuses", code=NOT_PROVEN).sent
    assert len(held) == 1
    assert "drop" not in sent.reason


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (0xA700, "out of resources", AGAIN),
        (0x0110, "failed while it stored it", AGAIN),
        (0xA900, "does not match its SOP class", IN_VAIN),
        (0xC000, "cannot understand it", IN_VAIN),
        (0x0124, "does not let us store", IN_VAIN),
        (0x0122, "does not take objects of this kind", IN_VAIN),
    ],
)
def test_a_status_that_says_no(seg_file, status, words, code):
    with scp(status=status) as (node, _):
        ended(send(seg_file, node), Outcome.FAILED, words, f"0x{status:04X}", code=code)


def test_a_status_that_says_yes_but(seg_file):
    with scp(status=0xB000) as (node, _):
        (sent,) = ended(send(seg_file, node), Outcome.FOUND, code=0).sent
    assert "changed elements" in sent.note


def test_what_it_says_that_it_has_already_is_asked_for(seg_file):
    with scp(status=0x0111) as (node, _):
        ended(send(seg_file, node, found_within_s=0.1), Outcome.FAILED, "has it already", code=IN_VAIN)
    with scp() as (node, _):
        uid = send(seg_file, node).sent[0].instance_uid
    with scp(status=0x0111, shows=[uid]) as (node, _):
        ended(send(seg_file, node), Outcome.FOUND, code=0)


def test_a_node_that_says_nothing(seg_file):
    def behave(connection):
        while connection.recv(1 << 16):
            pass

    with raw(behave, timeout_s=0.5) as node:
        ended(send(seg_file, node), Outcome.FAILED, "did not answer within 0.5 s", code=AGAIN)


def test_a_node_that_never_answers_what_it_got(seg_file):
    release = threading.Event()
    with scp(on_store=lambda _: release.wait(60), timeout_s=BUSY_S, asks=False) as (node, _):
        ended(send(seg_file, node), Outcome.FAILED, f"did not answer within {BUSY_S:g} s while it was being sent to", code=AGAIN)
        release.set()


def test_a_node_that_stops_reading(tmp_path, source):
    release = threading.Event()
    large = tmp_path / "large"
    shutil.copy(sorted(source.iterdir())[0], large)
    grow(large, 32 << 20)

    def stop(event):
        if type(event.pdu).__name__ == "P_DATA_TF":
            release.wait(60)

    with scp(on_pdu=stop, timeout_s=BUSY_S, asks=False) as (node, _):
        ended(send(large, node), Outcome.FAILED, "peer", "while it was being sent to", code=AGAIN)
        release.set()


def grow(path, length):
    """Give an instance a private element of `length` bytes."""
    import pydicom

    dataset = pydicom.dcmread(path)
    dataset.private_block(0x0099, "MEDIMG TEST", create=True).add_new(1, "OB", bytes(length))
    dataset.save_as(path, enforce_file_format=True)


def test_a_node_that_resets_in_mid_transfer(tmp_path, source):
    large = tmp_path / "large"
    shutil.copy(sorted(source.iterdir())[0], large)
    grow(large, 4 << 20)
    resets = []

    def reset(event):
        if type(event.pdu).__name__ == "P_DATA_TF":
            wire = event.assoc.dul.socket.socket
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.close()
            resets.append(1)

    with scp(on_pdu=reset, asks=False) as (node, held):
        ended(send(large, node), Outcome.FAILED, "broke the connection off while it was being sent to", code=AGAIN)
    assert resets
    assert not held


def test_an_association_that_breaks_once_is_opened_again(source):
    broken = []

    def break_once(event):
        if not broken:
            broken.append(1)
            event.assoc.abort()

    with scp(on_store=break_once) as (node, held):
        ended(send(source, node, associations=1), Outcome.FOUND, code=0)
    assert broken
    assert len(held) == 16


def test_a_peer_that_ends_every_association_is_left_alone(source):
    seen = []

    def end(event):
        seen.append(1)
        event.assoc.abort()

    with scp(on_store=end, asks=False) as (node, _):
        ended(send(source, node, associations=1), Outcome.FAILED, "broke the connection off", code=AGAIN)
    assert len(seen) < 16


def test_a_certificate_that_is_not_trusted(seg_file, tmp_path):
    own, context = certificate(tmp_path)
    other, _ = certificate(tmp_path / "other")
    with scp(ssl_context=context) as (node, held):
        ended(
            send(seg_file, replace(node, tls=True, ca_file=other)),
            Outcome.FAILED,
            "certificate that is not trusted",
            code=IN_VAIN,
        )
        ended(send(seg_file, node), Outcome.FAILED, "TLS", code=AGAIN)
        assert not held
        ended(send(seg_file, replace(node, tls=True, ca_file=own)), Outcome.FOUND, code=0)


def test_a_certificate_of_another_host(seg_file, tmp_path):
    own, context = certificate(tmp_path, name="elsewhere.example")
    with scp(ssl_context=context) as (node, held):
        ended(send(seg_file, replace(node, tls=True, ca_file=own)), Outcome.FAILED, "not trusted", code=IN_VAIN)
    assert not held


def test_a_node_without_tls_that_is_spoken_to_in_tls(seg_file, tmp_path):
    own, _ = certificate(tmp_path)
    with raw(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as node:
        ended(send(seg_file, replace(node, tls=True, ca_file=own)), Outcome.FAILED, "does not agree on TLS", code=IN_VAIN)


def test_a_node_that_takes_one_association_at_a_time(source, monkeypatch):
    from medimg.nodes import _dimse_send

    monkeypatch.setattr(_dimse_send, "FEW", 1)
    with scp(associations=1) as (node, held):
        ended(send(source, node, associations=4, found_within_s=0), Outcome.FOUND, code=0)
    assert len(held) == 16


def test_a_host_of_several_addresses_of_which_one_is_served(seg_file, monkeypatch):
    known = socket.getaddrinfo

    def several(host, port, *arguments, **keywords):
        if host != "several.example":
            return known(host, port, *arguments, **keywords)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    with scp() as (node, _):
        ended(send(seg_file, replace(node, host="several.example")), Outcome.FOUND, code=0)


def test_what_is_no_dicom_is_not_sent_and_is_said(results, tmp_path):
    shutil.copytree(results / "out", tmp_path / "out")
    (tmp_path / "out" / "run.json").write_text("{}")
    with scp() as (node, held):
        delivery = ended(send(tmp_path / "out", node), Outcome.FOUND, code=0)
    assert [(item.what, item.reason) for item in delivery.skipped] == [("run.json", "no DICOM file")]
    assert len(held) == 1


def test_a_dicom_file_that_is_damaged_fails_and_the_others_are_sent(results, tmp_path):
    shutil.copytree(results / "out", tmp_path / "out")
    content = (results / "out" / "seg.dcm").read_bytes()
    (tmp_path / "out" / "cut.dcm").write_bytes(content[:200])
    with scp() as (node, held):
        delivery = ended(send(tmp_path / "out", node), Outcome.FAILED, "was not sent", code=IN_VAIN)
    assert [sent.file.name for sent in delivery.of(Outcome.FAILED)] == ["cut.dcm"]
    assert len(held) == len(delivery.of(Outcome.FOUND)) == 1


def test_two_files_of_one_uid(source, tmp_path):
    first = sorted(source.iterdir())[0]
    for name in ("a", "b"):
        shutil.copy(first, tmp_path / name)
    with scp() as (node, _):
        delivery = ended(send(tmp_path, node), Outcome.FOUND, code=0)
        assert [item.reason for item in delivery.skipped] == ["the same instance as a"]
        grow(tmp_path / "b", 4)
        delivery = ended(send(tmp_path, node), Outcome.FAILED, "has the SOP instance UID of a, and other bytes", code=IN_VAIN)
    assert [sent.file.name for sent in delivery.of(Outcome.FOUND)] == ["a"]


def test_a_file_that_changes_while_it_is_sent(tmp_path, source):
    path = tmp_path / "slice"
    shutil.copy(sorted(source.iterdir())[0], path)
    content = path.read_bytes()
    changed = []

    def change(event):
        if type(event.pdu).__name__ == "A_ASSOCIATE_RQ" and not changed:
            changed.append(1)
            path.write_bytes(content + b"\0\0")

    with scp(on_pdu=change) as (node, held):
        ended(send(path, node), Outcome.FAILED, "was changed while it was sent", code=AGAIN)
    assert changed
    assert not held


def test_nothing_to_send(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    node = DimseNode(name="peer", host="127.0.0.1", port=1, ae_title="PEER")
    with pytest.raises(ScanError, match="holds no DICOM instance"):
        send(tmp_path, node)
    with pytest.raises(ScanError, match="cannot be opened"):
        send(tmp_path / "none", node)
    with pytest.raises(OptionError, match="associations"):
        send(tmp_path, node, associations=0)


def test_progress_is_told(source):
    told = []
    with scp() as (node, _):
        send(source, node, progress=lambda *words: told.append(words))
    assert ("send", 0, 16) in told
    assert told[-1] == ("ask", 16, 16)
