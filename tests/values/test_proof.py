"""A proof is JSON that says what was compared and how far off the farthest was."""

from __future__ import annotations

import json

from medimg.values import Proof


def test_it_is_json_with_distances_rounded_to_a_millionth():
    proof = Proof(file="seg.dcm", compared="every voxel", agrees=True, voxels=12, largest_distance_mm=0.00000149)
    content = json.loads(json.dumps(proof.to_dict()))
    assert content == {
        "file": "seg.dcm",
        "compared": "every voxel",
        "agrees": True,
        "voxels": 12,
        "numbers": 0,
        "references": 0,
        "largest_distance_mm": 0.000001,
    }
