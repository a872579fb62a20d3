"""Hazards of where slices lie."""

from __future__ import annotations

import copy

import numpy as np

from tests.builders.hazard_kit import RANDOM, ds, files, hazard, image, simple, truth_stack, uid
from tests.builders.phantom import SLICES, STEP_MM, hu_at, stack


@hazard("load", "ok", "24 axial slices, 4 mm apart: nothing odd")
def baseline():
    planes = stack()
    return files(simple(planes)), [truth_stack(planes)]


@hazard("warn", "gap", "one inner slice (12) absent: a hole of 8 mm", ["refuse"])
def missing_slice():
    planes = stack()
    images = simple(planes)
    del images[12], planes[12]
    return files(images), [truth_stack(planes)]


@hazard("warn", "gap", "three neighbouring slices (10-12) absent: a hole of 16 mm", ["refuse"])
def missing_three():
    planes = stack()
    images = simple(planes)
    del images[10:13], planes[10:13]
    return files(images), [truth_stack(planes)]


@hazard("warn", "duplicate", "slice 12 sent twice: same pixels and place, another SOPInstanceUID")
def duplicate_slice():
    planes = stack()
    images = simple(planes)
    e = copy.deepcopy(images[12])
    e.SOPInstanceUID = uid()
    e.InstanceNumber = 25
    return files([*images, e]), [truth_stack(planes)]


@hazard("warn", "duplicate", "the same file twice under two names (same SOPInstanceUID)")
def duplicate_file():
    planes = stack()
    images = simple(planes)
    return files([*images, images[12]]), [truth_stack(planes)]


@hazard("refuse", "conflict", "two slices at one place with different pixels, nothing tells them apart", ["split"])
def conflicting_slice():
    planes = stack()
    images = simple(planes)
    e = image(
        {
            "study": images[0].StudyInstanceUID,
            "series": images[0].SeriesInstanceUID,
            "frame": images[0].FrameOfReferenceUID,
            "modality": "CT",
        },
        planes[12],
        25,
        hu=hu_at(planes[12].points(), (10, 0, 0)),
    )
    return files([*images, e]), [truth_stack(planes)]


@hazard("load", "ok", "SliceThickness 8 mm, centres 4 mm apart (overlap): thickness is not spacing")
def overlapping():
    planes = stack()
    return files(simple(planes, thickness=8)), [truth_stack(planes)]


@hazard("load", "ok", "SliceThickness 1 mm, centres 4 mm apart, SpacingBetweenSlices says 1")
def thin_with_gaps():
    planes = stack()
    images = simple(planes, thickness=1)
    for x in images:
        x.SpacingBetweenSlices = "1"
    return files(images), [truth_stack(planes)]


@hazard("warn", "uneven", "12 slices 2 mm apart, then 12 slices 6 mm apart", ["refuse", "split"])
def uneven_spacing():
    z = np.concatenate([np.arange(12) * 2.0, 22 + 6.0 * np.arange(1, 13)])
    planes = stack(offsets=z - z.mean())
    return files(simple(planes)), [truth_stack(planes)]


@hazard("load", "ok", "positions rounded to 0.1 mm around 4.03 mm (rounding, not unevenness)")
def jitter_small():
    planes = stack(offsets=[round((i - 11.5) * 4.03, 1) for i in range(SLICES)])
    return files(simple(planes)), [truth_stack(planes)]


@hazard("warn", "uneven", "positions off by up to 1 mm (seeded): real unevenness", ["refuse"])
def jitter_large():
    planes = stack(offsets=[(i - 11.5) * STEP_MM + RANDOM.uniform(-1, 1) for i in range(SLICES)])
    return files(simple(planes)), [truth_stack(planes)]


@hazard("load", "ok", "InstanceNumber (and file names) run against the geometry")
def reversed_instance_number():
    planes = stack()
    images = simple(planes)
    for i, x in enumerate(images):
        x.InstanceNumber = SLICES - i
    return files(images[::-1]), [truth_stack(planes)]


@hazard("load", "ok", "InstanceNumber 1 everywhere, file names shuffled")
def same_instance_number():
    planes = stack()
    images = simple(planes)
    for x in images:
        x.InstanceNumber = 1
    return files(images, "shuffle"), [truth_stack(planes)]


@hazard("load", "ok", "SliceLocation runs against ImagePositionPatient (table positions)")
def slicelocation_lies():
    planes = stack()
    images = simple(planes)
    for x in images:
        x.SliceLocation = ds(-float(x.SliceLocation) * 0.5)
    return files(images, "shuffle"), [truth_stack(planes)]


@hazard("refuse", "no-position", "no ImagePositionPatient/ImageOrientationPatient in any slice")
def no_position():
    planes = stack()
    images = simple(planes)
    for x in images:
        del x.ImagePositionPatient, x.ImageOrientationPatient
    return files(images), []


@hazard("warn", "one-slice-unplaced", "one slice lacks ImagePositionPatient", ["refuse"])
def one_without_position():
    planes = stack()
    images = simple(planes)
    del images[12].ImagePositionPatient
    del planes[12]
    return files(images), [truth_stack(planes)]


@hazard("refuse", "one-place", "every slice has the same ImagePositionPatient; only SliceLocation moves")
def all_same_position():
    planes = stack()
    images = simple(planes)
    for x in images:
        x.ImagePositionPatient = images[0].ImagePositionPatient
    return files(images), []


@hazard("load", "single", "one slice only", ["warn"])
def single_slice():
    planes = stack()[16:17]
    return files(simple(planes)), [truth_stack(planes)]
