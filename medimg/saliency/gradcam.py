"""Grad-CAM (Selvaraju et al., ICCV 2017, doi:10.1109/ICCV.2017.74) in three dimensions and in the patient's millimetres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.engine._lesions import FLIPS
from medimg.engine.cubes import cube_grid, sample
from medimg.errors import ModelError, OptionError
from medimg.values import Heatmap

if TYPE_CHECKING:
    from medimg.engine import Model
    from medimg.values import Finding, Volume


def explain(
    model: Model, volume: Volume, finding: Finding, *, target: str = "nodule", center_mm: tuple[float, float, float] | None = None
) -> Heatmap:
    """Return the Grad-CAM of the score `target` of `finding`, on the cube that the classifier looked at.

    That of a finding too large for it is on a cube of coarser voxels, those of the card's `larger` on which it fits.

    Each channel of the card's `saliency_layer` is weighted by the mean gradient of the score's logit and summed; negative sums
    are no evidence for the score and become 0. The map is the mean over the flips of the cube that the score is the mean of,
    which also evens out the coarse steps of the layer; the strongest voxel is 1. If no voxel speaks for the score, all are 0.

    Raises:
        OptionError: the model gives no score of that name.
        ModelError: the card names no saliency layer, or one that the network lacks.
    """
    import torch

    stage = model.card.stage("classify")
    network = model.network(stage)
    ratings = tuple(network.ratings)  # type: ignore[arg-type]
    if target not in ratings:
        raise OptionError.unknown("target", target, ratings)
    layer = dict(network.named_modules()).get(stage.saliency_layer) if stage.saliency_layer else None
    if layer is None:
        raise ModelError(
            f"The card of {model.card.name} names no saliency layer of its network. "
            "Correct saliency_layer, or use --explain none."
        )

    spacing_mm, longest_mm, larger = stage.spacing_mm[0], finding.measures.longest_diameter_mm, model.card.larger
    if larger and finding.measures.mean_diameter_mm > larger.over_mm:
        spacing_mm = larger.spacing_for(longest_mm, window=stage.window, spacing_mm=spacing_mm)
    grid = cube_grid(
        center_mm or finding.center_mm,
        edge=stage.window,
        spacing_mm=spacing_mm,
        frame_of_reference=volume.grid.frame_of_reference,
    )
    cube = torch.from_numpy(sample(volume, grid))[None, None].to(model.device)
    maps = []
    for axes in FLIPS:
        kept: list[Any] = []
        hook = layer.register_forward_hook(lambda module, given, features, kept=kept: kept.append(features))
        try:
            with torch.enable_grad():
                given = torch.flip(cube, axes).requires_grad_()  # weights may be frozen; the graph then starts at the cube
                _, rating = network(given)
                (gradient,) = torch.autograd.grad(rating[0, ratings.index(target)], kept[0])
        finally:
            hook.remove()
        weights = gradient.mean(dim=(2, 3, 4), keepdim=True)
        evidence = (weights * kept[0]).sum(dim=1, keepdim=True).detach().clamp_min(0)
        part = torch.nn.functional.interpolate(evidence, size=grid.shape, mode="trilinear", align_corners=False)
        maps.append(torch.flip(part, axes))
    full = torch.stack(maps).mean(dim=0)[0, 0].float().cpu().numpy()
    strongest = float(full.max())
    array = (full / strongest if strongest > 0 else np.zeros_like(full)).astype(np.float32)
    return Heatmap(array=array, grid=grid, finding_id=finding.id, target=target, method="gradcam")
