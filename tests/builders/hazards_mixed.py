"""Hazards of several things in one series."""

from __future__ import annotations

import numpy as np

from tests.builders.hazard_kit import files, hazard, image, new_study, simple, truth_stack, uid
from tests.builders.phantom import CENTRE, SLICES, STEP_MM, Plane, hu_at, stack


@hazard("split", "localizer", "a coronal localizer of another size inside the series", ["warn"])
def localizer_inside():
    planes = stack()
    study = new_study()
    images = simple(planes, study)
    lp = Plane(CENTRE + np.array((-63, 0, 63)), (1, 0, 0, 0, 0, -1), (1.0, 1.0), (128, 128))
    loc = image(study, lp, 0)
    loc.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return files([loc, *images]), [truth_stack(planes)]


@hazard("split", "localizer", "a coronal localizer of the same size inside the series", ["warn"])
def localizer_same_matrix():
    planes = stack()
    study = new_study()
    images = simple(planes, study)
    lp = stack(offsets=[0], orientation=(1, 0, 0, 0, 0, -1))[0]
    loc = image(study, lp, 0)
    loc.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return files([loc, *images]), [truth_stack(planes)]


@hazard("split", "orientations", "24 axial and 24 sagittal slices of one size in one series")
def two_orientations():
    a, b = stack(), stack(orientation=(0, 1, 0, 0, 0, -1))
    study = new_study()
    images = simple(a, study) + simple(b, study)
    for i, x in enumerate(images):
        x.InstanceNumber = i + 1
    return files(images), [truth_stack(a), truth_stack(b)]


def _two(attr, values, modality="CT", shift=(0, 0, 12)):
    """Two passes over the same places; the second with the spheres moved by shift."""
    planes = stack()
    study = new_study(modality)
    images = []
    for k, v in enumerate(values):
        for i, plane in enumerate(planes):
            x = image(study, plane, k * SLICES + i + 1, hu=hu_at(plane.points(), shift if k else (0, 0, 0)))
            setattr(x, attr, v)
            images.append(x)
    return images, planes, shift


@hazard("split", "acquisitions", "AcquisitionNumber 1 and 2 over the same places, patient moved 12 mm")
def two_acquisitions():
    images, planes, s = _two("AcquisitionNumber", [1, 2])
    return files(images), [truth_stack(planes), truth_stack(planes, s)]


@hazard("split", "phases", "contrast phases: same AcquisitionNumber, other AcquisitionTime, moved 12 mm")
def two_phases():
    images, planes, s = _two("AcquisitionTime", ["101112", "101212"])
    for x in images:
        x.ContentTime = x.AcquisitionTime
    return files(images), [truth_stack(planes), truth_stack(planes, s)]


@hazard("split", "echoes", "MR, two echoes (EchoTime 5 and 20), slices interleaved")
def two_echoes():
    images, planes, s = _two("EchoTime", ["5", "20"], "MR")
    e = []
    for i in range(SLICES):
        e += [images[i], images[SLICES + i]]
    for i, x in enumerate(e):
        x.InstanceNumber, x.EchoNumbers = i + 1, 1 + i % 2
    return files(e), [truth_stack(planes), truth_stack(planes, s)]


@hazard("split", "temporal", "MR, TemporalPositionIdentifier 1 and 2 (NumberOfTemporalPositions 2)")
def two_temporal():
    images, planes, s = _two("TemporalPositionIdentifier", [1, 2], "MR")
    for x in images:
        x.NumberOfTemporalPositions = 2
    return files(images), [truth_stack(planes), truth_stack(planes, s)]


@hazard("split", "kernels", "CT, two ConvolutionKernels over the same places in one series")
def two_kernels():
    images, planes, _s = _two("ConvolutionKernel", ["B30f", "B70f"], shift=(0, 0, 0))
    return files(images), [truth_stack(planes), truth_stack(planes)]


@hazard("split", "pixel-spacing", "upper half of the slices has 2 mm pixels, lower half 1.5 mm", ["refuse"])
def mixed_pixel_spacing():
    z = (np.arange(SLICES) - 11.5) * STEP_MM
    a, b = stack(offsets=z[:12], spacing=(1.5, 1.5)), stack(offsets=z[12:])
    images = simple(a + b)
    return files(images), [truth_stack(a), truth_stack(b)]


@hazard("split", "matrix", "12 slices 64 x 64 at 2 mm, 12 slices 128 x 128 at 1 mm", ["refuse"])
def mixed_matrix():
    z = (np.arange(SLICES) - 11.5) * STEP_MM
    a, b = stack(offsets=z[:12], spacing=(1.0, 1.0), shape=(128, 128)), stack(offsets=z[12:])
    images = simple(a + b)
    return files(images), [truth_stack(a), truth_stack(b)]


@hazard("split", "shifted-fov", "second half's field of view is moved 20 mm to the left", ["warn", "refuse"])
def shifted_fov():
    z = (np.arange(SLICES) - 11.5) * STEP_MM
    a, b = stack(offsets=z[:12]), stack(offsets=z[12:], centre=CENTRE + np.array((20, 0, 0)))
    images = simple(a + b)
    return files(images), [truth_stack(a), truth_stack(b)]


@hazard(
    "split",
    "frames-of-reference",
    "two FrameOfReferenceUIDs in one series (halves; patient 30 mm elsewhere in the second)",
    ["refuse"],
)
def two_frames_of_reference():
    planes = stack()
    study = new_study()
    s = (30, 0, 0)
    images = [image(study, plane, i + 1, hu=hu_at(plane.points(), s if i >= 12 else (0, 0, 0))) for i, plane in enumerate(planes)]
    f = uid()
    for x in images[12:]:
        x.FrameOfReferenceUID = f
    return files(images), [truth_stack(planes[:12]), truth_stack(planes[12:], s)]


@hazard("split", "interleaved", "two stacks shifted by 2 mm, AcquisitionNumber 1 and 2, moved 12 mm")
def interleaved_stacks():
    z = (np.arange(SLICES) - 11.5) * STEP_MM
    a, b = stack(offsets=z), stack(offsets=z + 2)
    study = new_study()
    s = (0, 0, 12)
    images = simple(a, study) + [image(study, plane, SLICES + i + 1, hu=hu_at(plane.points(), s)) for i, plane in enumerate(b)]
    for x in images[SLICES:]:
        x.AcquisitionNumber = 2
    return files(images), [truth_stack(a), truth_stack(b, s)]
