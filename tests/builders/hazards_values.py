"""Hazards of what the stored numbers mean."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.builders.hazard_kit import files, hazard, image, new_study, simple, truth_stack
from tests.builders.phantom import CENTRE, PIXELS, SPHERES, Plane, hu_at, stack


@hazard("load", "ok", "PET-like: every slice has its own RescaleSlope, intercept 0")
def per_slice_rescale():
    planes = stack()
    study = new_study("PT")
    images = []
    for i, plane in enumerate(planes):
        hu = np.maximum(hu_at(plane.points()), 0)
        images.append(image(study, plane, i + 1, hu=hu, slope=0.05 + 0.01 * i, intercept=0))
    return files(images), [truth_stack(planes)]


@hazard("load", "ok", "CT with another RescaleIntercept in the second half (-1024, then 0), signedness too")
def mixed_signedness():
    planes = stack()
    study = new_study()
    images = [
        image(study, plane, i + 1) if i < 12 else image(study, plane, i + 1, intercept=0, signed=True)
        for i, plane in enumerate(planes)
    ]
    return files(images), [truth_stack(planes)]


@hazard("load", "ok", "BitsStored 12 with junk (overlay-like bits) in the upper four bits", ["warn"])
def bits_above_stored():
    planes = stack()
    images = simple(planes)
    for x in images:
        a = np.frombuffer(x.PixelData, "<u2").reshape(PIXELS, PIXELS).copy()
        a[:, ::3] |= 0x8000
        a[5:20, 5:20] |= 0x3000
        x.PixelData = a.tobytes()
        x.BitsStored, x.HighBit = 12, 11
    return files(images), [truth_stack(planes)]


@hazard("load", "ok", "12-bit signed values in 16 (sign bit is bit 11, upper bits zero)")
def signed_12_bit():
    planes = stack()
    images = []
    study = new_study()
    for i, plane in enumerate(planes):
        hu = hu_at(plane.points())
        x = image(study, plane, i + 1, stored=(hu.astype(int) & 0xFFF).astype("<u2"), intercept=0, signed=False)
        x.PixelRepresentation, x.BitsStored, x.HighBit = 1, 12, 11
        images.append(x)
    return files(images), [truth_stack(planes)]


@hazard("refuse", "rescale-slope-0", "RescaleSlope 0", ["warn"])
def slope_zero():
    planes = stack()
    images = simple(planes)
    for x in images:
        x.RescaleSlope = "0"
    return files(images), []


@hazard("refuse", "no-rescale", "CT without RescaleSlope/Intercept: values are not HU", ["warn"])
def rescale_absent():
    planes = stack()
    images = simple(planes)
    for x in images:
        del x.RescaleSlope, x.RescaleIntercept, x.RescaleType
    return files(images), []


@hazard("warn", "no-rescale", "one slice of a CT lacks RescaleSlope/Intercept", ["refuse"])
def rescale_absent_in_one():
    planes = stack()
    images = simple(planes)
    del images[19].RescaleSlope, images[19].RescaleIntercept
    return files(images), [truth_stack(planes[:19] + planes[20:])]


@hazard("load", "ok", "PixelPaddingValue 63536 (-2000 signed) outside a circle of the scan field")
def pixel_padding():
    planes = stack()
    study = new_study()
    images = []
    for i, plane in enumerate(planes):
        hu = hu_at(plane.points())
        q = plane.points() - CENTRE
        hu[(q[..., 0] ** 2 + q[..., 1] ** 2) > 62**2] = -2000
        x = image(study, plane, i + 1, hu=hu, intercept=0, signed=True)
        x.add_new("PixelPaddingValue", "SS", -2000)
        images.append(x)
    return files(images), [truth_stack(planes)]


@hazard("load", "ok", "Modality LUT Sequence instead of slope and intercept")
def modality_lut():
    planes = stack()
    images = simple(planes)
    for x in images:
        del x.RescaleSlope, x.RescaleIntercept, x.RescaleType
        it = Dataset()
        # stored value s (= HU + 1024, 0..2124) -> LUT value HU + 1024 doubled; type US
        lut = (np.arange(2200) * 2).astype("<u2")
        it.add_new("LUTDescriptor", "US", [2200, 0, 16])
        it.ModalityLUTType = "US"
        it.add_new("LUTData", "OW", lut.tobytes())
        x.ModalityLUTSequence = Sequence([it])
    t = truth_stack(planes)
    for s in t["spheres"]:
        s["unscaled"], s["hu"] = s["hu"], (s["hu"] + 1024) * 2
    return files(images), [t]


@hazard("load", "ok", "a real CR in MONOCHROME1 (0 is white), ImagerPixelSpacing only", ["warn"])
def monochrome1_cr():
    study = new_study("CR")
    r, c = np.meshgrid(np.arange(200), np.arange(160), indexing="ij")
    img = np.full((200, 160), 500.0)
    disks = []
    for k, (cc, v) in SPHERES.items():
        y, x0 = 100 + cc[2] * 2, 80 + cc[0] * 2
        img[(r - y) ** 2 + (c - x0) ** 2 <= 14**2] = 500 + v
        disks.append({"name": k, "row": y, "col": x0, "radius_px": 14, "above_background": v})
    x = image(study, Plane((0, 0, 0), shape=(200, 160)), 1, stored=4095 - img, intercept=None)
    x.PhotometricInterpretation = "MONOCHROME1"
    x.ImagerPixelSpacing, x.PatientOrientation, x.ViewPosition = ["0.2", "0.2"], ["L", "F"], "PA"
    x.BitsStored, x.HighBit = 12, 11
    return files([x]), [{"planes": [], "spheres": [], "disks": disks}]
