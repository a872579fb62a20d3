"""A model that can be called with a Volume."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medimg.engine import _scores, _windows
from medimg.engine._accept import require_input, require_lung, require_region
from medimg.engine._drawn import onto
from medimg.engine._findings import findings_of, kind_of
from medimg.engine._lesions import FLIPS, ONCE, Lesion, describe, grown, middle_part
from medimg.engine._regions import REACH_MM, box_around, lung_hull
from medimg.engine._remarks import sizes_of
from medimg.engine.cubes import box_under
from medimg.engine.devices import choose_device
from medimg.errors import GeometryError
from medimg.measures import measure
from medimg.models import load_package
from medimg.preprocessing import lungs, resample
from medimg.values import Mask, Prediction, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from medimg.models import ModelCard, ModelPackage, Stage
    from medimg.values import Volume

    Progress = Callable[[str, int, int], None]
    Flips = tuple[tuple[int, ...], ...]
    Seen = tuple[float, Lesion]  # probability, and what the networks say
    Candidate = tuple[float, tuple[float, float, float]]

AIR_HU = -1024.0
BORDER_MM = 8.0  # how far beyond the lung mask a nodule's centre may lie: nodules at the wall can be left out of the mask
WIDE_FACTOR = 1.8  # a lesion that fills its cube is outlined once more in a cube this much wider
NO_MODALITY = "The file does not say what kind of scan it is; its values and what they show were taken for"
FULL_SHARE = 0.02  # share of a cube's surface inside the outline from which on the cube is too small


class Model:
    """A loaded model. Call it with a Volume; it keeps its networks between calls.

    Args:
        package: card and weights.
        device: "auto", "cpu", "cuda", "mps".
    """

    def __init__(self, package: ModelPackage, *, device: str = "auto") -> None:
        self.package = package
        self.device = choose_device(device)
        self._networks: dict[str, nn.Module] = {}

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self.package.card

    def network(self, stage: Stage) -> nn.Module:
        """Return the network of a stage, loaded once; stages with the same weights share it.

        Raises:
            ModelError: its weights are missing or damaged.
        """
        import torch

        key = f"{stage.network} {stage.weights_sha256}"
        if key not in self._networks:
            network = self.package.network(stage).to(self.device)
            self._networks[key] = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        return self._networks[key]

    def load(self) -> None:
        """Load every network now, so that a damaged model is known before a scan is read."""
        for stage in self.card.stages:
            self.network(stage)

    def __call__(self, volume: Volume, *, progress: Progress | None = None) -> Prediction:
        """Find, outline and score the lesions of `volume`.

        Returns:
            A Prediction on the volume's own grid: findings, the most suspicious first, label = finding id.

        Raises:
            UnsuitableScanError: the volume is not what the card says the model was made for.
        """
        return self.search(volume, progress=progress)[0]

    def search(self, volume: Volume, *, progress: Progress | None = None) -> tuple[Prediction, tuple[Candidate, ...]]:
        """Return what a call returns, and every place behind it: also those below the operating point, for free-response curves.

        Returns:
            The Prediction, and (probability, LPS point) of all places that the classifier looked at a second time.

        Raises:
            UnsuitableScanError: the volume is not what the card says the model was made for.
        """
        tell = progress or (lambda stage, done, total: None)
        unsaid = () if volume.modality else (f"{NO_MODALITY} {self.card.input.modality}.",)
        volume = volume.of_modality(self.card.input.modality)
        region, unseen, seen, seconds = self._search(volume, tell, unsaid=bool(unsaid))
        start = time.perf_counter()
        larger = self._larger(volume, region)
        start = _lap(seconds, "larger", start)
        findings, mask, small = findings_of(self.card, volume, region, self._kept(seen), larger=larger)
        _lap(seconds, "outline", start)
        prediction = Prediction(
            findings=findings,
            mask=mask,
            looked_for=self.card.finding_kind,
            looked_in=self.card.finding_site,
            not_evaluated=(*unseen, *small),
            remarks=(*unsaid, sizes_of(self.card)),
            seconds=seconds,
        )
        stage = self.card.stage("outline")
        return prediction, tuple((probability, self._middle(lesion, stage)) for probability, lesion in (*seen, *larger))

    def lesions(self, volume: Volume) -> list[Lesion]:
        """Return the lesions above the operating point as the networks see them: raw logits, before calibration and measuring."""
        _, _, seen, _ = self._search(volume, lambda stage, done, total: None)
        return [lesion for _, lesion in self._kept(seen)]

    def at(self, volume: Volume, center_mm: tuple[float, float, float]) -> tuple[Mask, dict[str, float]]:
        """Outline and score the lesion at a point (LPS mm) that a person gave: no detector, no operating point.

        Returns:
            Its outline (label 1) on the volume's grid, empty if the network sees none there, and every score by its name.

        Raises:
            UnsuitableScanError: the volume is not what the card says the model was made for.
            GeometryError: the point lies outside of the scan.
        """
        require_input(self.card, volume, unsaid=not volume.modality)
        if not volume.grid.contains(center_mm):
            raise GeometryError("The point lies outside of the scan. Give LPS millimetres of a point in it.")
        stage, lesion = self.card.stage("outline"), self._pointed_at(volume, center_mm)
        array = np.zeros(volume.shape, np.uint8)
        place = box_under(volume.grid, lesion.grid)
        array[place] = onto(volume.grid, place, lesion, threshold=stage.threshold)
        lines = self.card.stage("classify").scores
        opinion = self.card.second_opinion
        scores = {line.name: _scores.value(line, lesion, threshold=stage.threshold, opinion=opinion) for line in lines}
        outline = Mask(array=array, grid=volume.grid)
        kind = kind_of(self.card, measure(volume, outline, label=1)) if array.any() else self.card.finding_kind
        return replace(outline, labels={1: kind}), scores

    def lesion_at(
        self, volume: Volume, center_mm: tuple[float, float, float], *, peak: float = 0.5, spacing_mm: float | None = None
    ) -> Lesion:
        """Return the lesion at a point (LPS mm) as the networks see it, the cube moved onto it.

        `peak` is a detector's; `spacing_mm` the edge of the voxels on which they look, without it that of the card's stage.
        """
        stage = self.card.stage("outline")
        network, spacing = self.network(stage), spacing_mm or stage.spacing_mm[0]
        (first,) = describe(network, stage, volume, [(center_mm, peak)], spacing_mm=spacing, device=self.device)
        middle = self._middle(first, stage)
        return describe(network, stage, volume, [(middle, peak)], spacing_mm=spacing, device=self.device)[0]

    def _pointed_at(self, volume: Volume, center_mm: tuple[float, float, float]) -> Lesion:
        """Return the lesion at a point; on coarser voxels where it fills its cube, or where only those show one that is large."""
        threshold, larger = self.card.stage("outline").threshold, self.card.larger
        lesion = first = self.lesion_at(volume, center_mm)
        for step in reversed(larger.spacings_mm if larger else ()):
            is_seen = (lesion.outline > threshold).any()
            if is_seen and _surface_share(lesion.outline, threshold) <= FULL_SHARE:
                break
            lesion = self.lesion_at(volume, center_mm, spacing_mm=step)
        is_large = larger is not None and _scores.diameter_mm(lesion, threshold=threshold) >= larger.least_mm
        return lesion if is_large else first

    def _search(
        self, volume: Volume, tell: Progress, *, unsaid: bool = False
    ) -> tuple[Mask, list[Skipped], list[Seen], dict[str, float]]:
        """Return the lungs, what was not looked at, what the classifier saw twice, and seconds by stage."""
        seconds: dict[str, float] = {}
        start = time.perf_counter()
        tell("prepare", 0, 1)
        require_input(self.card, volume, unsaid=unsaid)
        region = lungs(volume)
        beyond = require_region(self.card, region)
        require_lung(self.card, volume, region)
        box, allowed = self._prepare(volume, region)
        start = _lap(seconds, "prepare", start)
        places = self._detect(box, allowed, tell)
        start = _lap(seconds, "detect", start)
        tell("outline", 0, 1)
        seen = self._describe(volume, places)
        _lap(seconds, "outline", start)
        unseen = [Skipped(what="beyond the scan", reason=beyond)] if beyond else []
        most = int(self.card.stage("detect").parameters["most"])
        if len(places) == most:
            unseen.append(
                Skipped(what="further places", reason=f"The detector proposes {most} places at most, and saw that many.")
            )
        return region, unseen, seen, seconds

    def _prepare(self, volume: Volume, region: Mask) -> tuple[Volume, NDArray[np.bool_]]:
        """Resample the box of the lungs to the detector's grid; say where in it a lesion's centre may lie."""
        stage = self.card.stage("detect")
        box = box_around(volume, region, margin_mm=BORDER_MM + stage.margin * max(stage.spacing_mm), spacing_mm=stage.spacing_mm)
        near = resample(region, like=box.grid).array > 0
        return box, grown(near, BORDER_MM / np.array(stage.spacing_mm))

    def _larger(self, volume: Volume, region: Mask) -> list[Seen]:
        """Return the lesions above the operating point that coarser voxels show and are large, the coarsest voxels first."""
        larger, outline = self.card.larger, self.card.stage("outline")
        if larger is None:
            return []
        kept: list[Seen] = []
        hull = lung_hull(volume, region)
        for step in larger.spacings_mm:
            box = box_around(volume, region, margin_mm=REACH_MM, spacing_mm=(step,) * 3)
            places = self._detect(box, resample(hull, like=box.grid).array > 0, lambda stage, done, total: None)
            seen = self._kept(self._describe(volume, places, spacing_mm=step, least_mm=larger.least_mm))
            sizes = [_scores.diameter_mm(lesion, threshold=outline.threshold) for _, lesion in seen]
            kept += [each for each, size in zip(seen, sizes, strict=True) if size >= larger.least_mm]
        return kept

    def _detect(self, box: Volume, allowed: NDArray[np.bool_], tell: Progress) -> list[tuple[tuple[float, float, float], float]]:
        stage = self.card.stage("detect")
        heat = _windows.run_windows(
            self.network(stage),
            box.array,
            channel=0,
            window=stage.window,
            margin=stage.margin,
            device=self.device,
            background=AIR_HU,
            wanted=allowed,
            progress=lambda done, total: tell("detect", done, total),
        )
        heat *= allowed
        apart = round(stage.parameters["apart_mm"] / stage.spacing_mm[0])  # in voxels: on coarser ones everything is larger
        found = _windows.peaks(heat, threshold=stage.threshold, apart=apart, most=int(stage.parameters["most"]))
        return [(tuple(box.grid.to_mm(index).tolist()), height) for index, height in found]

    def _describe(
        self,
        volume: Volume,
        places: list[tuple[tuple[float, float, float], float]],
        *,
        spacing_mm: float | None = None,
        least_mm: float = 0.0,
    ) -> list[Seen]:
        """Outline and rate each place; move the cube onto what was outlined, and look again at what may be a lesion.

        What is smaller at first sight than half of `least_mm` (equal-volume diameter) is not looked at again.
        """
        stage, network = self.card.stage("outline"), self.network(self.card.stage("outline"))
        spacing = spacing_mm or stage.spacing_mm[0]

        def look(
            where: list[tuple[tuple[float, float, float], float]], factor: float = 1.0, flips: Flips = FLIPS
        ) -> list[Lesion]:
            return describe(network, stage, volume, where, spacing_mm=spacing * factor, device=self.device, flips=flips)

        seen = []
        least = self.card.stage("classify").parameters.get("first_look_least", 0.0)
        glimpsed = [
            lesion
            for lesion in look(places, flips=ONCE)
            if _scores.probability(self.card.stage("classify"), lesion) >= least
            and _scores.diameter_mm(lesion, threshold=stage.threshold) >= least_mm / 2
        ]
        for lesion in look([(self._middle(lesion, stage), lesion.peak) for lesion in glimpsed]):
            probability = _scores.probability(self.card.stage("classify"), lesion)
            is_kept = probability >= self.card.stage("classify").threshold
            if is_kept and _surface_share(lesion.outline, stage.threshold) > FULL_SHARE:
                wide = look([(self._middle(lesion, stage), lesion.peak)], WIDE_FACTOR)[0]
                lesion = replace(wide, logits=lesion.logits, each=lesion.each)
            seen.append((probability, lesion))
        return seen

    def _kept(self, seen: list[Seen]) -> list[Seen]:
        """Return what lies above the operating point."""
        return [(probability, lesion) for probability, lesion in seen if probability >= self.card.stage("classify").threshold]

    def _middle(self, lesion: Lesion, stage: Stage) -> tuple[float, float, float]:
        part = middle_part(lesion.outline, threshold=stage.threshold)
        index = np.argwhere(part).mean(axis=0) if part.any() else np.array(part.shape) // 2
        x, y, z = lesion.grid.to_mm(index).tolist()
        return x, y, z


def load_model(name: str | Path = "lung-nodule", *, device: str = "auto") -> Model:
    """Load a packaged model by its name, or a model package by its folder.

    Raises:
        OptionError: the model or the device is unknown.
        ModelError: the card or the weights are missing or damaged.
    """
    model = Model(load_package(name), device=device)
    model.load()
    return model


def _surface_share(outline: NDArray[np.float32], threshold: float) -> float:
    faces = [np.take(outline, index, axis=axis) > threshold for axis in range(3) for index in (0, -1)]
    return float(np.mean([face.mean() for face in faces]))


def _lap(seconds: dict[str, float], name: str, start: float) -> float:
    now = time.perf_counter()
    seconds[name] = seconds.get(name, 0.0) + now - start
    return now
