"""Hazards of how slices are turned."""

from __future__ import annotations

import numpy as np

from tests.builders.hazard_kit import ds, files, hazard, simple, truth_stack
from tests.builders.phantom import stack, turned


@hazard("warn", "gantry-tilt", "gantry tilted 20 degrees: slices stacked along z, not along their normal")
def gantry_tilt():
    R = turned("x", 20)
    iop = np.concatenate([R @ [1, 0, 0], R @ [0, 1, 0]])
    planes = stack(orientation=iop, step=(0, 0, 1))
    images = simple(planes)
    for x in images:
        x.GantryDetectorTilt = "-20"
    return files(images), [truth_stack(planes)]


@hazard("load", "ok", "sagittal slices (rows run posterior, columns run to the feet)")
def sagittal():
    planes = stack(orientation=(0, 1, 0, 0, 0, -1))
    return files(simple(planes)), [truth_stack(planes)]


@hazard("load", "ok", "coronal slices")
def coronal():
    planes = stack(orientation=(1, 0, 0, 0, 0, -1))
    return files(simple(planes)), [truth_stack(planes)]


@hazard("load", "ok", "double-oblique slices (25 degrees about x, then 15 about z)")
def oblique():
    R = turned("z", 15) @ turned("x", 25)
    planes = stack(orientation=np.concatenate([R @ [1, 0, 0], R @ [0, 1, 0]]))
    return files(simple(planes)), [truth_stack(planes)]


@hazard("load", "ok", "feet first prone: IOP 1 0 0 0 -1 0")
def feet_first_prone():
    planes = stack(orientation=(1, 0, 0, 0, -1, 0))
    images = simple(planes)
    for x in images:
        x.PatientPosition = "FFP"
    return files(images), [truth_stack(planes)]


@hazard("load", "ok", "prone head first: IOP -1 0 0 0 -1 0, slices stored from head to feet")
def prone_descending():
    planes = stack(orientation=(-1, 0, 0, 0, -1, 0))[::-1]
    images = simple(planes)
    for x in images:
        x.PatientPosition = "HFP"
    return files(images), [truth_stack(planes)]


@hazard("load", "ok", "non-square pixels (1.5 mm rows apart, 2.5 mm columns apart), 80 x 48")
def non_square_pixels():
    planes = stack(spacing=(1.5, 2.5), shape=(80, 48))
    return files(simple(planes)), [truth_stack(planes)]


@hazard("refuse", "bad-orientation", "ImageOrientationPatient not orthogonal (0.9 cosine between axes)")
def bad_iop():
    planes = stack()
    images = simple(planes)
    for x in images:
        x.ImageOrientationPatient = ["1", "0", "0", "0.9", "0.435890", "0"]
    return files(images), []


@hazard("load", "ok", "IOP written with 4 decimals, differing in the last digit between slices")
def iop_rounding():
    R = turned("x", 25)
    iop = np.round(np.concatenate([R @ [1, 0, 0], R @ [0, 1, 0]]), 4)
    planes = stack(orientation=iop)
    images = simple(planes)
    for i, x in enumerate(images):
        x.ImageOrientationPatient = [ds(v + (1e-4 if i % 3 == 0 and k == 4 else 0)) for k, v in enumerate(iop)]
    return files(images), [truth_stack(planes)]
