"""The geometries that a SEG must come back from: those whose conformance is tested."""

from __future__ import annotations

import numpy as np

from tests.builders.study import grid_of

SAGITTAL = ((1, 0, 0), (0, 0, -1), (0, 1, 0))
CORONAL = ((0, 1, 0), (0, 0, -1), (1, 0, 0))
OBLIQUE = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0))
HEAD_DOWN = ((0, 0, -1), (0, 1, 0), (1, 0, 0))
PRONE = ((0, 0, 1), (0, -1, 0), (-1, 0, 0))
MIRRORED_ROWS = ((0, 0, 1), (0, -1, 0), (1, 0, 0))
GEOMETRIES = {
    "axial": {},
    "from the head down": {"grid": grid_of(directions=HEAD_DOWN)},
    "sagittal": {"grid": grid_of(directions=SAGITTAL)},
    "coronal": {"grid": grid_of(directions=CORONAL)},
    "oblique": {"grid": grid_of(directions=OBLIQUE)},
    "prone": {"grid": grid_of(directions=PRONE)},
    "mirrored rows": {"grid": grid_of(directions=MIRRORED_ROWS)},
    "tilted": {"grid": grid_of(tilt_deg=18.5)},
    "instance numbers reversed": {"reverse": True},
    "feet first": {"PatientPosition": "FFS"},
    "odd matrix": {"grid": grid_of(shape=(15, 43, 39))},
    "slices missing": {"gaps": (5, 9, 10)},
    "enhanced multi-frame": {"enhanced": True},
    "enhanced, orientation per frame": {"enhanced": True, "own_orientation": True},
}


def expected(result):
    """Return the labels that come back: those of measured slices, and on the others those of the slice that they repeat."""
    from medimg.readers._dicom_places import nearest_slices

    series, array = result.series, result.prediction.mask.array.copy()
    nearest = nearest_slices(series.grid, np.array([source.position_mm for source in series.slices]))
    for place, origin in enumerate(series.slice_of):
        if origin is None:
            array[place] = array[series.slice_of.index(nearest[place])]
    return array
