"""Read back what was written and compare it with what was found, before it counts as written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.errors import GeometryError, WriteError
from medimg.runs._proof_seg import prove_seg
from medimg.runs._proof_sr import prove_sr

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import Proof, StudyResult

REMEDY = "Nothing was kept; run it again, and report it if it stays"
PAIRS = (("seg.dcm", "sr.dcm"), ("seg_binary.dcm", "sr_binary.dcm"))  # a segmentation and the report that refers to it


def prove(result: StudyResult, files: tuple[Path, ...]) -> tuple[Proof, ...]:
    """Return the proof of every segmentation and report among `files`, in their order.

    Raises:
        GeometryError: an outline or a line is not where it was found.
        WriteError: an object does not say what was found.
    """
    there, proofs = {path.name: path for path in files}, []
    for seg, sr in PAIRS:
        if seg in there:
            proof = prove_seg(result, there[seg])
            if not proof.agrees:
                raise GeometryError(f"{seg}, read back, does not show the outlines that were found. {REMEDY}.")
            proofs.append(proof)
        if sr in there:
            proof = prove_sr(result, there[sr], there.get(seg))
            if not proof.agrees:
                raise WriteError(f"{sr}, read back, does not say what was found. {REMEDY}.")
            proofs.append(proof)
    return tuple(proofs)
