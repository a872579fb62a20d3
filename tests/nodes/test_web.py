"""An archive that behaves badly over HTTP: the answer's lists decide, then the question, and no secret is ever shown."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import replace

import pydicom
import pytest

from medimg.cli.send import exit_code
from medimg.errors import NOT_PROVEN, DeliveryError, NodeError, OptionError
from medimg.nodes import Outcome, WebNode, echo, is_there, send
from tests.builders.objects import write_object
from tests.builders.orthanc import closed_port
from tests.builders.peers import Archive, certificate, raw, stored, uids_in, web

AGAIN, IN_VAIN = NodeError.exit_code, DeliveryError.exit_code
SECRET = "correct-horse-battery-staple"


@pytest.fixture
def uid(seg_file):
    return str(pydicom.dcmread(seg_file).SOPInstanceUID)


def ended(delivery, outcome, *words, code):
    assert delivery.outcome is outcome
    for sent in delivery.of(outcome):
        assert all(word in sent.reason for word in words), sent.reason
        assert SECRET not in sent.reason + sent.note
        assert "Mustermann" not in sent.reason + sent.note
    assert exit_code(delivery) == code
    return delivery


def test_what_is_stored_and_shown_is_found(seg_file, uid):
    archive = Archive(stow=lambda body: stored(*uids_in(body)), there=[uid])
    with web(archive) as node:
        ended(send(seg_file, node), Outcome.FOUND, code=0)
    method, path, headers, body = archive.requests[0]
    assert (method, path) == ("POST", "/dicom-web/studies")
    assert 'multipart/related; type="application/dicom"; boundary=' in headers["Content-Type"]
    assert seg_file.read_bytes() in body


def test_an_archive_that_says_200_and_stores_nothing(seg_file, uid):
    with web(Archive(stow=lambda _: stored(uid))) as node:
        delivery = send(seg_file, node, found_within_s=0.3)
    ended(delivery, Outcome.FAILED, "said that it took it, and does not have it when asked", code=IN_VAIN)


def test_an_archive_that_shows_all_of_everything(seg_file, uid):
    """One that does not understand a question answers with whatever it has."""
    archive = Archive(stow=lambda _: stored(uid), there=["1.2.3"])
    with web(archive) as node:
        archive.there = {"1.2.3", "1.2.4"}
        ended(send(seg_file, node, found_within_s=0.1), Outcome.FAILED, code=IN_VAIN)


def test_200_with_what_failed_in_it(seg_file, uid):
    with web(Archive(stow=lambda _: stored(failed=[(uid, 0xA700)]))) as node:
        ended(send(seg_file, node), Outcome.FAILED, "out of resources", "0xA700", code=AGAIN)
    with web(Archive(stow=lambda _: stored(failed=[(uid, 0x0122)]))) as node:
        ended(send(seg_file, node), Outcome.FAILED, "does not take objects of this kind", code=IN_VAIN)
    with web(Archive(stow=lambda _: stored(failed=[(uid, 0xC000)], status=409))) as node:
        ended(send(seg_file, node), Outcome.FAILED, "refuses it", "0xC000", code=IN_VAIN)


def test_400_and_yet_stored(seg_file, uid):
    """Orthanc answers so when one part of several is junk, and lists the good one."""
    with web(Archive(stow=lambda _: stored(uid, status=400), there=[uid])) as node:
        ended(send(seg_file, node), Outcome.FOUND, code=0)


def test_an_answer_that_says_nothing_is_no_proof_either_way(seg_file, uid):
    with web(Archive(stow=lambda _: (200, b"", {}), there=[uid])) as node:
        ended(send(seg_file, node), Outcome.FOUND, code=0)
    with web(Archive(stow=lambda _: (200, b"<html>welcome</html>", {}))) as node:
        ended(send(seg_file, node, found_within_s=0), Outcome.FAILED, "neither among what it stored nor", code=IN_VAIN)


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (401, "wants to know who we are", IN_VAIN),
        (403, "does not let us", IN_VAIN),
        (404, "no such service", IN_VAIN),
        (409, "HTTP 409", IN_VAIN),
        (413, "HTTP 413", IN_VAIN),
        (500, "failed while it stored it (HTTP 500)", AGAIN),
        (503, "failed or is busy (HTTP 503)", AGAIN),
    ],
)
def test_a_status_that_says_no(seg_file, status, words, code):
    with web(Archive(stow=lambda _: (status, b"Patient Mustermann: no", {}))) as node:
        ended(send(seg_file, node, found_within_s=0), Outcome.FAILED, words, code=code)


@pytest.mark.parametrize(("status", "code"), [(413, IN_VAIN), (400, IN_VAIN), (500, AGAIN)])
def test_one_of_many_that_is_refused_does_not_take_the_others_with_it(source, status, code):
    files = sorted(source.iterdir())
    bad = str(pydicom.dcmread(files[3]).SOPInstanceUID)
    archive = Archive(there=[str(pydicom.dcmread(path).SOPInstanceUID) for path in files if path != files[3]])
    archive.stow = lambda body: (status, b"", {}) if bad in uids_in(body) else stored(*uids_in(body))
    with web(archive) as node:
        delivery = ended(send(source, node, found_within_s=0), Outcome.FAILED, f"HTTP {status}", code=code)
    assert [sent.instance_uid for sent in delivery.of(Outcome.FAILED)] == [bad]
    assert len(delivery.of(Outcome.FOUND)) == 15


def test_another_address_is_not_followed(seg_file):
    archive = Archive(stow=lambda _: (307, b"", {"Location": "http://127.0.0.1:9/elsewhere"}))
    with web(archive) as node:
        ended(send(seg_file, node), Outcome.FAILED, "sends us to another address", code=IN_VAIN)
    assert len(archive.requests) == 1


@pytest.mark.parametrize(("status", "words"), [(403, "does not let us"), (501, "refuses the request"), (404, "no such service")])
def test_an_archive_that_lets_nobody_ask(seg_file, uid, status, words):
    with web(Archive(stow=lambda _: stored(uid), qido=status)) as node:
        ended(send(seg_file, node), Outcome.ACCEPTED, words, code=NOT_PROVEN)


def test_an_archive_that_is_down(seg_file):
    node = WebNode(name="archive", url=f"http://127.0.0.1:{closed_port()}/dicom-web", timeout_s=2)
    ended(send(seg_file, node), Outcome.FAILED, "archive is down", code=AGAIN)
    with pytest.raises(NodeError, match="is down"):
        echo(node)
    node = replace(node, url="http://no-such-host.invalid/dicom-web")
    ended(send(seg_file, node), Outcome.FAILED, "does not know the host", code=AGAIN)


def test_an_archive_that_says_nothing(seg_file):
    def behave(connection):
        while connection.recv(1 << 16):
            pass

    with raw(behave) as peer:
        node = WebNode(name="archive", url=f"http://127.0.0.1:{peer.port}", timeout_s=0.5)
        ended(send(seg_file, node), Outcome.FAILED, "did not answer", "0.5 s", code=AGAIN)


def test_an_archive_that_breaks_off(seg_file):
    def behave(connection):
        connection.recv(10)
        connection.shutdown(socket.SHUT_RDWR)

    with raw(behave) as peer:
        node = WebNode(name="archive", url=f"http://127.0.0.1:{peer.port}", timeout_s=2)
        ended(send(seg_file, node, found_within_s=0), Outcome.FAILED, "broke the connection off", code=AGAIN)


def test_a_certificate_that_is_not_trusted(seg_file, uid, tmp_path):
    own, context = certificate(tmp_path)
    other, _ = certificate(tmp_path / "other")
    archive = Archive(stow=lambda _: stored(uid), there=[uid])
    with web(archive, ssl_context=context) as node:
        ended(send(seg_file, replace(node, ca_file=other)), Outcome.FAILED, "certificate that is not trusted", code=IN_VAIN)
        ended(send(seg_file, node), Outcome.FAILED, "certificate that is not trusted", code=IN_VAIN)
        assert not archive.requests
        ended(send(seg_file, replace(node, ca_file=own)), Outcome.FOUND, code=0)


@pytest.mark.parametrize(
    ("scheme", "user", "header"),
    [("bearer", "", f"Bearer {SECRET}"), ("basic", "anna", "Basic YW5uYTpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl")],
)
def test_who_we_are_is_said_in_the_header_and_nowhere_else(seg_file, uid, monkeypatch, caplog, scheme, user, header):
    monkeypatch.setenv("ARCHIVE_SECRET", SECRET)
    archive = Archive(stow=lambda _: stored(uid), there=[uid])
    with caplog.at_level("DEBUG"), web(archive, scheme=scheme, user=user, secret="env:ARCHIVE_SECRET") as node:
        ended(send(seg_file, node), Outcome.FOUND, code=0)
    assert {headers["Authorization"] for _, _, headers, _ in archive.requests} == {header}
    assert SECRET not in repr(node) + node.describe() + caplog.text
    assert header.split()[1] not in caplog.text


def test_a_secret_that_is_refused_is_not_shown(seg_file, monkeypatch):
    monkeypatch.setenv("ARCHIVE_SECRET", SECRET)
    with web(Archive(stow=lambda _: (401, b"", {})), scheme="bearer", secret="env:ARCHIVE_SECRET") as node:
        ended(send(seg_file, node), Outcome.FAILED, "does not accept who we say we are", code=IN_VAIN)


def test_what_is_asked_for_must_be_uids():
    node = WebNode(name="archive", url="http://127.0.0.1:9")
    with pytest.raises(OptionError, match="UIDs"):
        is_there(node, [("1.2", "../../patients", "1.3")])


def test_many_instances_are_listed_page_by_page(monkeypatch):
    from medimg.nodes import _qido

    monkeypatch.setattr(_qido, "PAGE", 2)
    wanted = [("1.2", "1.3", f"1.4.{number}") for number in range(12)]
    archive = Archive(there=[uid for _, _, uid in wanted[:-1]])
    with web(archive) as node:
        found = is_there(node, wanted)
    assert [uid for uid, there in found.items() if not there] == ["1.4.11"]
    assert len(archive.requests) == 8, "six pages, one that is empty, and one for what was on none of them"


def test_tls_wants_a_version_that_is_not_broken():
    from medimg.nodes._dimse import tls_context

    context = tls_context("archive", None)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_an_archive_that_passes_over_the_uid_and_shows_one_of_many(seg_file, uid):
    """What it shows is another instance: that is no answer to the question, and ours may be there."""
    archive = Archive(stow=lambda _: stored(uid), there=["1.2.3", uid], passes_over=["SOPInstanceUID"])
    with web(archive) as node:
        ended(send(seg_file, node, found_within_s=0.1), Outcome.FOUND, code=0)


def test_an_archive_that_shows_its_first_page_for_ever(monkeypatch):
    from medimg.nodes import _qido

    monkeypatch.setattr(_qido, "PAGE", 2)
    wanted = [("1.2", "1.3", f"1.4.{number}") for number in range(12)]
    archive = Archive(there=[uid for _, _, uid in wanted[:-1]], passes_over=["offset"])
    with web(archive) as node:
        found = is_there(node, wanted)
    assert [uid for uid, there in found.items() if not there] == ["1.4.11"]


def test_an_instance_of_another_study_is_not_ours(seg_file, uid):
    archive = Archive(stow=lambda _: stored(uid), there=[uid], says={"0020000D": {"vr": "UI", "Value": ["1.2.3.4"]}})
    with web(archive) as node:
        ended(send(seg_file, node, found_within_s=0.1), Outcome.FAILED, code=IN_VAIN)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n"


@pytest.mark.parametrize(
    ("head", "piece", "words"),
    [
        (b"Content-Length: 1000\r\n\r\n", b" ", "too slowly"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", "too slowly"),
        (b"Content-Encoding: gzip\r\n\r\n", b" ", "compresses its answer"),
        (b"X-Long: ", b"x", "did not answer at"),
    ],
)
def test_an_answer_that_drips_or_would_grow_is_ended(head, piece, words):
    hung_up = threading.Event()

    def behave(connection):
        connection.recv(1 << 16)
        connection.sendall(HEAD + head)
        while not hung_up.wait(0.05):
            connection.sendall(piece)

    with raw(behave, timeout_s=0.5) as peer:
        node = WebNode(name="archive", url=f"http://127.0.0.1:{peer.port}", timeout_s=0.5)
        with pytest.raises(NodeError, match=words):
            echo(node)
        hung_up.set()


def in_xml(uids=(), failed=()):
    """Return an answer to STOW-RS in the Native DICOM Model, as archives that know no JSON give it."""

    def sequence(tag, items):
        return f'<DicomAttribute tag="{tag}" vr="SQ">{"".join(items)}</DicomAttribute>' if items else ""

    def item(uid, reason=None):
        told = f'<DicomAttribute tag="00081197" vr="US"><Value number="1">{reason}</Value></DicomAttribute>' if reason else ""
        name = f'<DicomAttribute keyword="ReferencedSOPInstanceUID" tag="00081155" vr="UI"><Value number="1">{uid}</Value>'
        return f'<Item number="1">\n{name}</DicomAttribute>{told}</Item>'

    content = sequence("00081199", list(map(item, uids))) + sequence("00081198", [item(*one) for one in failed])
    name = '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{name}{content}</NativeDicomModel>'.encode()


def test_an_answer_in_xml_is_read_like_one_in_json(seg_file, uid):
    with web(Archive(stow=lambda _: (200, in_xml([uid]), {}), there=[uid])) as node:
        assert [sent.note for sent in ended(send(seg_file, node), Outcome.FOUND, code=0).sent] == [""]
    with web(Archive(stow=lambda _: (202, in_xml([uid]), {}), qido=501)) as node:
        ended(send(seg_file, node), Outcome.ACCEPTED, "refuses the request", code=NOT_PROVEN)
    with web(Archive(stow=lambda _: (409, in_xml(failed=[(uid, 0xA700)]), {}))) as node:
        ended(send(seg_file, node), Outcome.FAILED, "out of resources", "0xA700", code=AGAIN)
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + in_xml([uid])
    for content in (bomb, in_xml([uid])[:-9], b"<a>" * 200, b"<Value>1</Value>"):
        with web(Archive(stow=lambda _, content=content: (200, content, {}))) as node:
            ended(send(seg_file, node, found_within_s=0), Outcome.FAILED, "neither among what it stored nor", code=IN_VAIN)


def test_an_answer_in_xml_that_refuses_a_label_map_has_the_binary_form_sent(tmp_path):
    write_object(tmp_path / "seg.dcm", 1, SOPClassUID="1.2.840.10008.5.1.4.1.1.66.7")
    write_object(tmp_path / "seg_binary.dcm", 2)
    uids = {name: str(pydicom.dcmread(tmp_path / name).SOPInstanceUID) for name in ("seg.dcm", "seg_binary.dcm")}
    archive = Archive(there=[uids["seg_binary.dcm"]])
    refused = [(uids["seg.dcm"], 0x0122)]
    archive.stow = lambda body: (
        (409, in_xml(failed=refused), {}) if uids["seg.dcm"] in uids_in(body) else (200, in_xml(uids_in(body)), {})
    )
    with web(archive) as node:
        (sent,) = ended(send(tmp_path, node), Outcome.FOUND, code=0).sent
    assert sent.in_place_of == uids["seg.dcm"]


def test_one_answer_a_study_is_read_as_well(seg_file, uid):
    (_, one, _), (_, other, _) = stored("1.2.3"), stored(uid)
    with web(Archive(stow=lambda _: (200, [one, other], {}), there=[uid])) as node:
        assert [sent.note for sent in ended(send(seg_file, node), Outcome.FOUND, code=0).sent] == [""]


def test_an_archive_that_names_nothing_is_given_the_time_to_show_it(seg_file, uid):
    """It did not say no: like one that said yes, it may index what it took a little later."""
    archive = Archive(stow=lambda _: (200, b"", {}))
    with web(archive) as node:
        timer = threading.Timer(0.5, lambda: archive.there.add(uid))
        timer.start()
        ended(send(seg_file, node, found_within_s=30), Outcome.FOUND, code=0)
        timer.join()
