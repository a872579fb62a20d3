"""A multipart comes apart the same however the network cuts it, and one that is not whole is said."""

from __future__ import annotations

import random

import pytest

from medimg.nodes._multipart import Event, MultipartError, boundary_of, split

BOUNDARY = b"----medimg-1"
CONTENTS = [b"", b"\r\n", b"\r\n--", b"\r\n------medimg-", b"abc\r\n\r\ndef", bytes(range(256)) * 40, b"\r" * 99]


def body(contents, preamble=b"", close=b"--"):
    parts = [b"\r\n--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n" + content for content in contents]
    whole = preamble + b"".join(parts) + b"\r\n--" + BOUNDARY + close + b"\r\n"
    return whole if preamble else whole[2:]


def joined(events):
    parts = []
    for event, piece in events:
        if event is Event.BEGIN:
            parts.append(b"")
        parts[-1] += piece
    return parts


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("preamble", [b"", b"this is a multipart"])
def test_however_it_is_cut(seed, preamble):
    whole, chance, pieces = body(CONTENTS, preamble), random.Random(seed), []
    while whole:
        size = chance.choice([1, 2, 3, 17, 1000])
        pieces.append(whole[:size])
        whole = whole[size:]
    assert joined(split(pieces, BOUNDARY)) == CONTENTS


def test_a_body_without_parts():
    assert joined(split([b"--" + BOUNDARY + b"--\r\n"], BOUNDARY)) == []


@pytest.mark.parametrize("kept", [0, 10, 60, 200, -5, -20])
def test_one_that_ends_too_early_is_no_whole_one(kept):
    with pytest.raises(MultipartError, match="before it is complete"):
        joined(split([body([b"x" * 200])[:kept]], BOUNDARY))


def test_a_part_without_an_end_to_its_head_is_not_read_for_ever():
    def endless():
        yield b"--" + BOUNDARY + b"\r\n"
        for _ in range(10_000):
            yield b"X-Line: 1\r\n" * 100

    with pytest.raises(MultipartError, match="no head"):
        joined(split(endless(), BOUNDARY))


def test_a_large_part_passes_in_pieces():
    def pieces():
        yield b"--" + BOUNDARY + b"\r\n\r\n\r\n"
        for _ in range(1000):
            yield b"y" * 65536
        yield b"\r\n--" + BOUNDARY + b"--"

    sizes = [len(piece) for _, piece in split(pieces(), BOUNDARY)]
    assert sum(sizes) == 65536 * 1000 + 2  # an empty line more, because the head was empty
    assert max(sizes) < 200_000


@pytest.mark.parametrize("value", ["application/dicom+json", "", "multipart/related", "multipart/related; boundary="])
def test_what_is_no_multipart(value):
    with pytest.raises(MultipartError, match="no multipart"):
        boundary_of(value)


def test_the_boundary_may_be_quoted():
    assert boundary_of('Multipart/Related; boundary="a b"; type="application/dicom"') == b"a b"
