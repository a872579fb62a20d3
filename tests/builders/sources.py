"""Kinds of source series that results must lie right on, as options of `study_result`."""

from __future__ import annotations

from tests.builders.study import grid_of

SAGITTAL = ((1, 0, 0), (0, 0, -1), (0, 1, 0))
CORONAL = ((0, 1, 0), (0, 0, -1), (1, 0, 0))
OBLIQUE = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0))
HEAD_DOWN = ((0, 0, -1), (0, 1, 0), (1, 0, 0))
PRONE = ((0, 0, 1), (0, -1, 0), (-1, 0, 0))
MIRRORED_ROWS = ((0, 0, 1), (0, -1, 0), (1, 0, 0))
POOR = (
    "PatientBirthDate",
    "PatientSex",
    "BodyPartExamined",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
    "SeriesDate",
)
CASES = {
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
    "poor source": {"leave_out": POOR},
    "enhanced multi-frame": {"enhanced": True},
    "enhanced, orientation per frame": {"enhanced": True, "own_orientation": True},
}
PLACED_BY_DCMQI = [  # it takes the distance of the first two frames for all, and knows no shear
    *("axial", "from the head down", "sagittal", "coronal", "oblique", "prone", "mirrored rows"),
    *("odd matrix", "enhanced multi-frame", "enhanced, orientation per frame"),
]
JAPANESE_NAME = "Yamada^Tarou=山田^太郎=やまだ^たろう"  # the example of PS3.5 annex H
FAULTY = {  # faults of the source's own, and the attributes that run.json names for them
    "Latin-1 name": ({"SpecificCharacterSet": "ISO_IR 100"}, ()),
    "Japanese name": (
        {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう"},
        (),
    ),
    "Chinese name": ({"SpecificCharacterSet": "GB18030", "PatientName": "Wang^XiaoDong=王^小东"}, ()),
    "name of one component": ({"PatientName": "ANON"}, ("PatientName",)),
    "illegal date": ({"PatientBirthDate": "19501301"}, ("PatientBirthDate",)),
    "old form of a date": ({"StudyDate": "2024.01.02"}, ("StudyDate",)),
    "illegal sex": ({"PatientSex": "UNKNOWN"}, ("PatientSex",)),
    "accession number too long": ({"AccessionNumber": "ACC4711-0815-2024-XYZ"}, ("AccessionNumber",)),
    "no patient at all": (
        {"leave_out": ("PatientName", "PatientID", "StudyID", "StudyTime", *POOR)},
        ("PatientName", "PatientID", "StudyID", "StudyTime", "PatientBirthDate", "PatientSex", "BodyPartExamined"),
    ),
    "no maker": ({"leave_out": ("Manufacturer",)}, ()),
    "a paired part": ({"BodyPartExamined": "LUNG"}, ()),
}
