"""Hazards of files and of enhanced multi-frame objects."""

from __future__ import annotations

import numpy as np

from tests.builders.hazard_kit import files, hazard, new_study, simple, truth_stack, uid
from tests.builders.phantom import stack


@hazard("refuse", "truncated", "slice 12's file is cut in its pixel data", ["warn"])
def truncated_file():
    planes = stack()
    images = simple(planes)
    f = files(images)
    t = truth_stack(planes[:12] + planes[13:])
    return [(n, x, "cut") if i == 12 else (n, x) for i, (n, x) in enumerate(f)], [t]


@hazard("load", "ok", "Explicit VR Big Endian (retired)", ["refuse"])
def big_endian():
    planes = stack()
    images = simple(planes)
    for x in images:
        x.PixelData = np.frombuffer(x.PixelData, "<u2").astype(">u2").tobytes()
    return [(n, x, "big") for n, x in files(images)], [truth_stack(planes)]


@hazard("load", "ok", "every third slice RLE compressed, the others plain")
def mixed_transfer_syntax():
    planes = stack()
    images = simple(planes)
    return [(n, x, "rle") if i % 3 == 0 else (n, x) for i, (n, x) in enumerate(files(images))], [truth_stack(planes)]


@hazard("load", "ok", "no preamble, no DICM, no file meta (raw Implicit VR Little Endian data sets)", ["warn", "refuse"])
def no_preamble():
    planes = stack()
    return [(n, x, "raw") for n, x in files(simple(planes))], [truth_stack(planes)]


@hazard("load", "ok", "clutter in the folder: DICOMDIR-like text, .DS_Store, a JPEG, an empty file", ["warn"])
def clutter():
    planes = stack()
    f = files(simple(planes))
    return [
        *f,
        (".DS_Store", b"\x00\x00\x00\x01Bud1" + bytes(600)),
        ("README.TXT", b"exported by a viewer\n"),
        ("preview.jpg", b"\xff\xd8\xff\xe0" + bytes(900)),
        ("empty.dcm", b""),
    ], [truth_stack(planes)]


@hazard("load", "ok", "two series of one study in one folder", ["split"])
def two_series_one_folder():
    a = stack()
    study = new_study()
    images = simple(a, study)
    b = stack(orientation=(0, 1, 0, 0, 0, -1))
    other = dict(study, series=uid())
    e = simple(b, other)
    for x in e:
        x.SeriesNumber = 4
    return files(images + e, "shuffle"), [truth_stack(a), truth_stack(b)]
