"""What medimg sends arrives: in Orthanc as it is installed and knowing us, in DCMTK's storescp, byte by byte."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from email import message_from_bytes
from email.policy import HTTP
from io import BytesIO

import numpy as np
import pydicom
import pytest

from medimg.errors import NodeError
from medimg.nodes import Outcome, echo, is_there, send
from medimg.reports import write_all
from tests.builders.dicom_checks import in_order, voxels
from tests.builders.orthanc import data_set, orthanc, storescp
from tests.builders.peers import certificate
from tests.builders.study import study_result

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


@pytest.fixture(scope="module")
def as_installed(tmp_path_factory):
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def knowing_us(tmp_path_factory):
    with orthanc(tmp_path_factory.mktemp("orthanc"), knows_us=True) as running:
        yield running


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with the objects of a study, as `medimg infer` writes them, and the folder of its source."""
    folder = tmp_path_factory.mktemp("study")
    result = study_result(folder / "source")
    (folder / "results").mkdir()
    write_all(result, folder / "results")
    return folder


def sent_files(folder):
    return {str(pydicom.dcmread(path).SOPInstanceUID): path for path in folder.rglob("*") if is_dicom(path)}


def is_dicom(path):
    return path.is_file() and path.read_bytes()[128:132] == b"DICM"


def names(path):
    header = pydicom.dcmread(path, stop_before_pixels=True)
    return str(header.StudyInstanceUID), str(header.SeriesInstanceUID), str(header.SOPInstanceUID)


@pytest.mark.parametrize("way", ["dimse", "web"])
def test_objects_and_source_arrive_byte_by_byte_and_are_found_again(knowing_us, study, way):
    knowing_us.clear()
    delivery = send(study, getattr(knowing_us, way))
    files = sent_files(study)
    assert {sent.instance_uid for sent in delivery.of(Outcome.FOUND)} == set(files)
    assert delivery.outcome is Outcome.FOUND
    assert "report.html" in " ".join(item.what for item in delivery.skipped)
    held = knowing_us.files()
    assert set(held) == set(files)
    for uid, path in files.items():
        assert data_set(held[uid]) == data_set(path.read_bytes()), path.name


def test_who_is_not_known_is_not_told_and_it_is_said(as_installed, study):
    as_installed.clear()
    delivery = send(study / "results", as_installed.dimse)
    assert delivery.outcome is Outcome.ACCEPTED
    assert all("let it know MEDIMG" in sent.reason for sent in delivery.sent)
    assert all(found is None for found in is_there(as_installed.dimse, [names(study / "results" / "seg.dcm")]).values())
    uids = [names(path) for path in sent_files(study / "results").values()]
    assert all(is_there(as_installed.web, uids).values()), "it is there all the same, as QIDO-RS says"


def test_what_was_never_sent_is_not_found(knowing_us, study):
    knowing_us.clear()
    uids = [names(path) for path in sent_files(study).values()]
    for node in (knowing_us.dimse, knowing_us.web):
        assert set(is_there(node, uids).values()) == {False}
        send(study / "results" / "seg.dcm", node)
        there = is_there(node, uids)
        assert [uid for uid, found in there.items() if found] == [names(study / "results" / "seg.dcm")[2]]
        knowing_us.clear()


def test_both_servers_answer_an_echo(as_installed, knowing_us):
    for node in (as_installed.dimse, as_installed.web, knowing_us.dimse, knowing_us.web):
        assert 0 < echo(node) < 30


def test_a_segmentation_comes_back_by_wado_voxel_by_voxel(knowing_us, study, tmp_path):
    knowing_us.clear()
    path = study / "results" / "seg.dcm"
    send(path, knowing_us.dimse)
    study_uid, series_uid, instance_uid = names(path)
    address = f"{knowing_us.web.url}/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}"
    request = urllib.request.Request(address, headers={"Accept": 'multipart/related; type="application/dicom"'})
    with urllib.request.urlopen(request, timeout=30) as answer:
        whole = b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n" + answer.read()
    (part,) = message_from_bytes(whole, policy=HTTP).iter_parts()
    (tmp_path / "back.dcm").write_bytes(part.get_payload(decode=True))
    same_voxels(path, tmp_path / "back.dcm")


def test_a_segmentation_comes_back_by_c_get_voxel_by_voxel(knowing_us, study, tmp_path):
    from pydicom.dataset import Dataset
    from pynetdicom import AE, build_role, evt

    knowing_us.clear()
    path = study / "results" / "seg.dcm"
    send(path, knowing_us.web)
    study_uid, _, instance_uid = names(path)
    entity = AE(ae_title="MEDIMG")
    entity.add_requested_context(STUDY_ROOT_GET)
    segmentation = pydicom.dcmread(path).SOPClassUID
    entity.add_requested_context(segmentation)
    back = []
    association = entity.associate(
        "127.0.0.1",
        knowing_us.dicom_port,
        ae_title="ORTHANC",
        ext_neg=[build_role(segmentation, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, lambda event: back.append(event.encoded_dataset()) or 0)],
    )
    assert association.is_established
    wanted = Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", study_uid
    assert [status.Status for status, _ in association.send_c_get(wanted, STUDY_ROOT_GET)][-1] == 0
    association.release()
    held = {str(pydicom.dcmread(BytesIO(content)).SOPInstanceUID): content for content in back}
    (tmp_path / "back.dcm").write_bytes(held[instance_uid])
    same_voxels(path, tmp_path / "back.dcm")


def same_voxels(path, back):
    first, second = voxels(path), voxels(back)
    assert sorted(first) == sorted(second)
    for number, points in first.items():
        assert np.array_equal(in_order(points), in_order(second[number]))


def labelled(study, folder):
    """Write a label map SEG with its binary SEG beside it. What a PACS takes depends on the SOP class alone."""
    from medimg._tools.identity import uid_from

    folder.mkdir()
    dataset = pydicom.dcmread(study / "results" / "seg.dcm")
    dataset.save_as(folder / "seg_binary.dcm", enforce_file_format=True)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = LABEL_MAP
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid_from("label map")
    dataset.save_as(folder / "seg.dcm", enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


def test_a_label_map_that_is_refused_is_replaced_by_the_binary_one_and_it_is_said(knowing_us, study, tmp_path):
    knowing_us.clear()
    label_map = labelled(study, tmp_path / "results")
    delivery = send(tmp_path / "results", knowing_us.dimse)
    (sent,) = delivery.sent
    assert (sent.outcome, sent.file.name, sent.in_place_of) == (Outcome.FOUND, "seg_binary.dcm", label_map)
    assert "in place of seg.dcm" in sent.note
    assert list(knowing_us.files()) == [sent.instance_uid]


def test_what_refers_to_a_label_map_that_was_refused_says_so(knowing_us, study, tmp_path):
    knowing_us.clear()
    label_map = labelled(study, tmp_path / "results")
    other = pydicom.dcmread(sorted((study / "source").iterdir())[0])
    other.ReferencedImageSequence = [pydicom.Dataset()]
    other.ReferencedImageSequence[0].ReferencedSOPClassUID = LABEL_MAP
    other.ReferencedImageSequence[0].ReferencedSOPInstanceUID = label_map
    other.save_as(tmp_path / "results" / "sr.dcm", enforce_file_format=True)
    notes = {sent.file.name: sent.note for sent in send(tmp_path / "results", knowing_us.dimse).sent}
    assert "refers to seg.dcm, which is not there" in notes["sr.dcm"]
    assert "refers" not in notes["seg_binary.dcm"]


@pytest.mark.parametrize(("kind", "wanted"), [("dimse", {"seg_binary.dcm", "sr_binary.dcm"}), ("web", {"seg.dcm", "sr.dcm"})])
def test_a_report_goes_with_the_form_that_it_refers_to(knowing_us, study, tmp_path, kind, wanted):
    from medimg._tools.identity import uid_from

    knowing_us.clear()
    labelled(study, tmp_path / "results")
    other = pydicom.dcmread(study / "results" / "sr.dcm")
    other.save_as(tmp_path / "results" / "sr.dcm", enforce_file_format=True)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = uid_from("report of the binary form")
    other.save_as(tmp_path / "results" / "sr_binary.dcm", enforce_file_format=True)
    delivery = send(tmp_path / "results", getattr(knowing_us, kind))
    assert {sent.file.name for sent in delivery.sent} == wanted
    assert all(sent.outcome is Outcome.FOUND for sent in delivery.sent)
    assert len(knowing_us.files()) == 2
    assert {item.what for item in delivery.skipped} == {"seg.dcm", "sr.dcm", "seg_binary.dcm", "sr_binary.dcm"} - wanted


def test_a_label_map_that_is_taken_is_sent_alone(knowing_us, study, tmp_path):
    knowing_us.clear()
    label_map = labelled(study, tmp_path / "results")
    delivery = send(tmp_path / "results", knowing_us.web)
    assert [(sent.outcome, sent.instance_uid) for sent in delivery.sent] == [(Outcome.FOUND, label_map)]
    assert [item.what for item in delivery.skipped] == ["seg_binary.dcm"]
    assert list(knowing_us.files()) == [label_map]


def compressed(source, folder, syntax, encode):
    """Write a CT slice with its pixels compressed without loss."""
    from pydicom.encaps import encapsulate

    folder.mkdir()
    dataset = pydicom.dcmread(source)
    dataset.PixelData = encapsulate([encode(dataset.pixel_array)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(folder / "slice.dcm", enforce_file_format=True)
    return folder / "slice.dcm"


def codecs():
    import imagecodecs

    offset = 1024  # lossless JPEG and JPEG-LS know no negative values; the words are the same
    return {
        "JPEG-LS": ("1.2.840.10008.1.2.4.80", lambda array: imagecodecs.jpegls_encode((array + offset).astype(np.uint16))),
        "lossless JPEG": ("1.2.840.10008.1.2.4.70", lambda array: imagecodecs.ljpeg_encode((array + offset).astype(np.uint16))),
        "JPEG 2000": ("1.2.840.10008.1.2.4.90", lambda array: imagecodecs.jpeg2k_encode(array, level=0, codecformat="j2k")),
        "RLE": ("1.2.840.10008.1.2.5", None),
    }


@pytest.mark.parametrize("name", ["JPEG-LS", "lossless JPEG", "JPEG 2000", "RLE"])
def test_what_is_compressed_arrives_uncompressed_where_the_peer_takes_nothing_else(study, tmp_path, name):
    syntax, encode = codecs()[name]
    source = sorted((study / "source").iterdir())[0]
    plain = pydicom.dcmread(source)
    expected = plain.pixel_array
    if encode is None:
        plain.compress(syntax, generate_instance_uid=False)
        (tmp_path / "in").mkdir()
        path = tmp_path / "in" / "slice.dcm"
        plain.save_as(path, enforce_file_format=True)
    else:
        path = compressed(source, tmp_path / "in", syntax, encode)
        if name in ("JPEG-LS", "lossless JPEG"):
            expected = expected + 1024
    with storescp(tmp_path / "out") as node:
        delivery = send(path, node)
    assert delivery.outcome is Outcome.ACCEPTED
    (sent,) = delivery.sent
    assert "C-FIND" in sent.reason
    assert syntax in sent.note
    (arrived,) = (tmp_path / "out").iterdir()
    back = pydicom.dcmread(arrived)
    assert not back.file_meta.TransferSyntaxUID.is_compressed
    assert back.SOPInstanceUID == plain.SOPInstanceUID
    assert np.array_equal(back.pixel_array, expected)


def test_what_is_compressed_arrives_as_it_is_where_the_peer_takes_it(knowing_us, study, tmp_path):
    knowing_us.clear()
    syntax, encode = codecs()["JPEG-LS"]
    path = compressed(sorted((study / "source").iterdir())[0], tmp_path / "in", syntax, encode)
    (sent,) = send(path, knowing_us.dimse).sent
    assert (sent.outcome, sent.note) == (Outcome.FOUND, "")
    assert data_set(knowing_us.files()[sent.instance_uid]) == data_set(path.read_bytes())


def test_a_password_that_orthanc_knows_and_one_that_it_does_not(study, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHIVE_PASSWORD", "correct-horse")
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"medimg": "correct-horse"}}
    with orthanc(tmp_path, **settings) as running:
        known = replace(running.web, scheme="basic", user="medimg", secret="env:ARCHIVE_PASSWORD")
        assert send(study / "results", known).outcome is Outcome.FOUND
        (sent,) = send(study / "results", running.web).sent[:1]
        assert (sent.outcome, sent.retry) == (Outcome.FAILED, False)
        assert "HTTP 401" in sent.reason
        monkeypatch.setenv("ARCHIVE_PASSWORD", "wrong")
        with pytest.raises(NodeError, match="does not accept who we say we are"):
            echo(known)


def test_tls_with_certificates_on_both_sides(study, tmp_path):
    theirs, _ = certificate(tmp_path / "keys", label="orthanc")
    ours, _ = certificate(tmp_path / "keys", label="medimg")
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs),
        "DicomTlsPrivateKey": str(theirs.with_suffix(".key")),
        "DicomTlsTrustedCertificates": str(ours),
    }
    with orthanc(tmp_path, knows_us=True, **settings) as running:
        node = replace(running.dimse, tls=True, ca_file=theirs, certificate_file=ours, key_file=ours.with_suffix(".key"))
        assert send(study, node).outcome is Outcome.FOUND
        assert set(running.files()) == set(sent_files(study))
        without = replace(node, certificate_file=None, key_file=None, timeout_s=5)
        with pytest.raises(NodeError, match="certificate"):
            echo(without)
        with pytest.raises(NodeError, match="not trusted"):
            echo(replace(node, ca_file=ours))


def test_sending_again_is_no_fault_and_makes_no_second_one(knowing_us, study):
    knowing_us.clear()
    for _ in range(2):
        for node in (knowing_us.dimse, knowing_us.web):
            assert send(study / "results", node).outcome is Outcome.FOUND
    assert len(json.loads(knowing_us.get("/instances"))) == len(sent_files(study / "results"))
