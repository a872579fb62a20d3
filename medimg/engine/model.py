"""A model that can be called with a Volume."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.identity import uid_from
from medimg.engine import _scores, _windows
from medimg.engine._lesions import FLIPS, ONCE, Lesion, describe, middle_part
from medimg.engine.cubes import box_under, sample_array
from medimg.engine.devices import choose_device
from medimg.errors import UnsuitableScanError
from medimg.measures import center_mm, measure
from medimg.models import fit_grid, load_package
from medimg.preprocessing import lungs, resample
from medimg.values import Code, Finding, Grid, Mask, Prediction, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from medimg.models import ModelCard, ModelPackage, Stage
    from medimg.values import Volume

    Progress = Callable[[str, int, int], None]
    Flips = tuple[tuple[int, ...], ...]
    Kept = tuple[float, Lesion, tuple[str, ...]]  # probability, what the networks say, remarks

AIR_HU = -1024.0
BORDER_MM = 8.0  # how far beyond the lung mask a nodule's centre may lie: nodules at the wall can be left out of the mask
LEAST_AIR_HU = -300.0  # every CT of a chest has voxels far below it, in the lungs and around the patient
TISSUE_HU, LEAST_TISSUE = (-150.0, 150.0), 0.03  # fat, muscle and blood are a tenth of any chest, however it was cropped
LEAST_LUNG_LITRES = 0.05  # a slab of 2.5 cm through both lungs has 0.3; bowel gas that passes for lung has less
SIDES = {1: Code("SCT", "7771000", "Left"), 2: Code("SCT", "24028007", "Right")}
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
        tell = progress or (lambda stage, done, total: None)
        remarks = () if volume.modality else (f"{NO_MODALITY} {self.card.input.modality}.",)
        volume = volume.of_modality(self.card.input.modality)
        region, beyond, kept, seconds = self._search(volume, tell, unsaid=bool(remarks))
        start = time.perf_counter()
        prediction = replace(self._prediction(volume, region, kept, beyond, seconds), remarks=remarks)
        _lap(seconds, "outline", start)
        return prediction

    def lesions(self, volume: Volume) -> list[Lesion]:
        """Return the lesions above the operating point as the networks see them: raw logits, before calibration and measuring."""
        _, _, kept, _ = self._search(volume, lambda stage, done, total: None)
        return [lesion for _, lesion, _ in kept]

    def at(self, volume: Volume, center_mm: tuple[float, float, float]) -> tuple[Mask, dict[str, float]]:
        """Outline and score the lesion at a point (LPS mm) that a person gave: no detector, no operating point.

        Returns:
            Its outline (label 1) on the volume's grid, empty if the network sees none there, and every score by its name.
        """
        stage, lesion = self.card.stage("outline"), self.lesion_at(volume, center_mm)
        array = np.zeros(volume.shape, np.uint8)
        place = box_under(volume.grid, lesion.grid)
        array[place] = _onto(volume.grid, place, lesion, threshold=stage.threshold)
        lines = self.card.stage("classify").scores
        scores = {line.name: _scores.value(line, lesion, threshold=stage.threshold) for line in lines}
        return Mask(array=array, grid=volume.grid, labels={1: self.card.finding_kind}), scores

    def lesion_at(self, volume: Volume, center_mm: tuple[float, float, float], *, peak: float = 0.5) -> Lesion:
        """Return the lesion at a point (LPS mm) as the networks see it, the cube moved onto it; `peak` is a detector's."""
        stage = self.card.stage("outline")
        network, spacing = self.network(stage), stage.spacing_mm[0]
        (first,) = describe(network, stage, volume, [(center_mm, peak)], spacing_mm=spacing, device=self.device)
        middle = self._middle(first, stage)
        return describe(network, stage, volume, [(middle, peak)], spacing_mm=spacing, device=self.device)[0]

    def _search(self, volume: Volume, tell: Progress, *, unsaid: bool = False) -> tuple[Mask, str, list[Kept], dict[str, float]]:
        """Return the lungs, where they go on beyond the scan, what was kept, and seconds by stage."""
        seconds: dict[str, float] = {}
        start = time.perf_counter()
        tell("prepare", 0, 1)
        self._check(volume, unsaid=unsaid)
        region = lungs(volume)
        beyond = self._check_region(region)
        box, allowed = self._prepare(volume, region)
        start = _lap(seconds, "prepare", start)
        places = self._detect(box, allowed, tell)
        start = _lap(seconds, "detect", start)
        tell("outline", 0, 1)
        kept = self._describe(volume, places)
        _lap(seconds, "outline", start)
        return region, beyond, kept, seconds

    def _check(self, volume: Volume, *, unsaid: bool) -> None:
        limits = self.card.input
        if volume.modality and volume.modality != limits.modality:
            raise UnsuitableScanError(
                f"This is {volume.modality}, and {self.card.name} reads {limits.modality}. Give a {limits.modality} scan."
            )
        reason = fit_grid(self.card, volume.grid)
        if reason:
            raise UnsuitableScanError(f"{reason} Give another reconstruction, or another model (medimg models list).")
        if limits.modality == "CT":
            part = volume.array[:: max(1, volume.shape[0] // 16)]
            if part.min() > LEAST_AIR_HU:
                raise UnsuitableScanError(
                    "No voxel of this scan is air, so its values are not HU. Give a CT whose values are HU."
                )
            tissue = float(((part > TISSUE_HU[0]) & (part < TISSUE_HU[1])).mean())
            if unsaid and tissue < LEAST_TISSUE:
                raise UnsuitableScanError(
                    f"The file does not say what kind of scan it is, and too few of its voxels ({tissue:.1%}) are soft tissue. "
                    f"Say it with --modality {limits.modality} (modality={limits.modality!r}) if it is one."
                )

    def _check_region(self, region: Mask) -> str:
        """Refuse a scan without the region; say where the region goes on beyond the scan, or ""."""
        litres = np.count_nonzero(region.array) * region.grid.voxel_volume_mm3 / 1e6
        if litres < LEAST_LUNG_LITRES:
            raise UnsuitableScanError(
                f"This scan shows no {self.card.input.region} ({litres:.2f} litres found), and {self.card.name} reads "
                "those only. Give a scan of the chest, or another model (medimg models list)."
            )
        axial = int(np.argmax(np.abs(region.grid.directions[2])))
        profile = np.count_nonzero(region.array, axis=tuple(axis for axis in range(3) if axis != axial))
        cut = [name for name, count in (("lower", profile[0]), ("upper", profile[-1])) if count > 0.05 * profile.max()]
        if region.grid.directions[2, axial] < 0:
            cut = [{"lower": "upper", "upper": "lower"}[name] for name in cut]
        if not cut:
            return ""
        return f"The lungs reach the {' and the '.join(sorted(cut))} end of the scan: what lies beyond was not evaluated."

    def _prepare(self, volume: Volume, region: Mask) -> tuple[Volume, NDArray[np.bool_]]:
        """Resample the box of the lungs to the detector's grid; say where in it a lesion's centre may lie."""
        stage = self.card.stage("detect")
        inside = (
            np.argwhere(region.array.any(axis=(1, 2)))[:, 0],
            np.argwhere(region.array.any(axis=(0, 2)))[:, 0],
            np.argwhere(region.array.any(axis=(0, 1)))[:, 0],
        )
        ends = np.array([[axis[0], axis[-1]] for axis in inside])
        corners = region.grid.to_mm(np.array(list(np.ndindex(2, 2, 2))) * (ends[:, 1] - ends[:, 0]) + ends[:, 0])
        margin = BORDER_MM + stage.margin * max(stage.spacing_mm)
        outer = volume.grid.to_mm(np.array(list(np.ndindex(2, 2, 2))) * (np.array(volume.shape) - 1))
        low = np.maximum(corners.min(axis=0) - margin, outer.min(axis=0))
        high = np.minimum(corners.max(axis=0) + margin, outer.max(axis=0))
        step = np.array(stage.spacing_mm)
        shape = np.maximum(np.floor((high - low)[::-1] / step).astype(int) + 1, 8)
        grid = Grid.straight(shape, spacing_mm=step, origin_mm=low, frame_of_reference=volume.grid.frame_of_reference)
        box = resample(volume, like=grid)
        near = resample(region, like=grid).array > 0
        return box, _grown(near, BORDER_MM / step)

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
        apart = round(stage.parameters["apart_mm"] / stage.spacing_mm[0])
        found = _windows.peaks(heat, threshold=stage.threshold, apart=apart, most=int(stage.parameters["most"]))
        return [(tuple(box.grid.to_mm(index).tolist()), height) for index, height in found]

    def _describe(self, volume: Volume, places: list[tuple[tuple[float, float, float], float]]) -> list[Kept]:
        """Outline and rate each place; move the cube onto what was outlined; keep those that are above the operating point."""
        stage, network = self.card.stage("outline"), self.network(self.card.stage("outline"))
        spacing = stage.spacing_mm[0]

        def look(
            where: list[tuple[tuple[float, float, float], float]], factor: float = 1.0, flips: Flips = FLIPS
        ) -> list[Lesion]:
            return describe(network, stage, volume, where, spacing_mm=spacing * factor, device=self.device, flips=flips)

        kept = []
        least = self.card.stage("classify").parameters.get("first_look_least", 0.0)
        glimpsed = [
            lesion for lesion in look(places, flips=ONCE) if _scores.probability(self.card.stage("classify"), lesion) >= least
        ]
        for lesion in look([(self._middle(lesion, stage), lesion.peak) for lesion in glimpsed]):
            probability = _scores.probability(self.card.stage("classify"), lesion)
            if probability < self.card.stage("classify").threshold:
                continue
            remarks: tuple[str, ...] = ()
            if _surface_share(lesion.outline, stage.threshold) > FULL_SHARE:
                wide = look([(self._middle(lesion, stage), lesion.peak)], WIDE_FACTOR)[0]
                lesion = Lesion(
                    grid=wide.grid, outline=wide.outline, logits=lesion.logits, spread=lesion.spread, peak=lesion.peak
                )
                remarks = (
                    f"It is larger than {self.card.diameter_range_mm[1]:g} mm, for which the model was not made: "
                    "outline and scores are rough.",
                )
            kept.append((probability, lesion, remarks))
        return kept

    def _middle(self, lesion: Lesion, stage: Stage) -> tuple[float, float, float]:
        part = middle_part(lesion.outline, threshold=stage.threshold)
        index = np.argwhere(part).mean(axis=0) if part.any() else np.array(part.shape) // 2
        x, y, z = lesion.grid.to_mm(index).tolist()
        return x, y, z

    def _prediction(
        self,
        volume: Volume,
        region: Mask,
        kept: list[Kept],
        beyond: str,
        seconds: dict[str, float],
    ) -> Prediction:
        stage, rating = self.card.stage("outline"), self.card.stage("classify")
        array = np.zeros(volume.shape, np.uint16 if len(kept) > 255 else np.uint8)
        drawn, label = [], 0
        for probability, lesion, words in sorted(kept, key=lambda item: -item[0]):
            place = box_under(volume.grid, lesion.grid)
            part = _onto(volume.grid, place, lesion, threshold=stage.threshold)
            size, taken = np.count_nonzero(part), np.count_nonzero(part & (array[place] > 0))
            if size == 0 or taken > 0.3 * size:
                continue  # nothing to outline, or the same lesion once more
            label += 1
            array[place][part & (array[place] == 0)] = label
            drawn.append((label, probability, lesion, words))
        scored = [
            (label, probability, _scores.scores(rating, lesion, threshold=stage.threshold), words)
            for label, probability, lesion, words in drawn
        ]
        scored.sort(key=lambda item: (-(item[2][0].value if item[2] else item[1]), item[0]))
        order = np.zeros(len(scored) + 1, array.dtype)
        order[[item[0] for item in scored]] = np.arange(1, len(scored) + 1)
        mask = Mask(
            array=order[array], grid=volume.grid, labels={number + 1: self.card.finding_kind for number in range(len(scored))}
        )
        findings = []
        for number, (_, probability, scores, words) in enumerate(scored, start=1):
            center = center_mm(mask, label=number)
            findings.append(
                Finding(
                    id=number,
                    center_mm=center,
                    measures=measure(volume, mask, label=number),
                    kind=self.card.finding_kind,
                    site=self.card.finding_site,
                    laterality=_side(region, center),
                    detection_probability=probability,
                    scores=scores,
                    tracking_uid=uid_from(
                        self.card.name,
                        self.card.version,
                        *(stage.weights_sha256 for stage in self.card.stages),
                        *np.round(center, 3),
                        volume.array.shape,
                    ),
                    remarks=words,
                )
            )
        missing = () if not beyond else (Skipped(what="beyond the scan", reason=beyond),)
        return Prediction(findings=tuple(findings), mask=mask, not_evaluated=missing, seconds=seconds)


def load_model(name: str | Path = "lung-nodule", *, device: str = "auto") -> Model:
    """Load a packaged model by its name, or a model package by its folder.

    Raises:
        OptionError: the model or the device is unknown.
        ModelError: the card or the weights are missing or damaged.
    """
    model = Model(load_package(name), device=device)
    model.load()
    return model


def _onto(native: Grid, place: tuple[slice, slice, slice], lesion: Lesion, *, threshold: float) -> NDArray[np.bool_]:
    """Return the outline's middle part on the box `place` of the native grid, cut at `threshold`; its centre at least."""
    shape = tuple(axis.stop - axis.start for axis in place)
    if min(shape) == 0:
        return np.zeros(shape, bool)
    part = middle_part(lesion.outline, threshold=threshold)
    if not part.any():
        return np.zeros(shape, bool)
    near = _grown(
        part, np.full(3, 2.0)
    )  # the rim below the threshold stays, so that the interpolated border lies where it belongs
    grid = native.crop([axis.start for axis in place], shape)
    near &= part | (lesion.outline <= threshold)  # but not the rim of a neighbour
    result: NDArray[np.bool_] = sample_array(np.where(near, lesion.outline, 0), lesion.grid, grid, mode="constant") > threshold
    if not result.any():  # thinner than the scan's slices: the voxel that holds its centre
        index = np.round(grid.to_index(lesion.grid.to_mm(np.argwhere(part).mean(axis=0)))).astype(int)
        if (index >= 0).all() and (index < shape).all():
            result[tuple(index)] = True
    return result


def _grown(mask: NDArray[np.bool_], voxels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return `mask` grown by a box of `voxels` to each side along each axis."""
    from scipy import ndimage

    grown: NDArray[np.bool_] = ndimage.maximum_filter(mask, size=tuple(2 * int(np.ceil(size)) + 1 for size in voxels))
    return grown


def _surface_share(outline: NDArray[np.float32], threshold: float) -> float:
    faces = [np.take(outline, index, axis=axis) > threshold for axis in range(3) for index in (0, -1)]
    return float(np.mean([face.mean() for face in faces]))


def _side(region: Mask, center: tuple[float, float, float]) -> Code | None:
    """Return the lung that is nearest to a point, looking 15 mm around it; None if there is none or both."""
    index = region.grid.to_index(center)
    reach = np.ceil(15.0 / np.array(region.grid.spacing_mm)).astype(int)
    low = np.clip(np.round(index).astype(int) - reach, 0, np.array(region.shape) - 1)
    high = np.clip(np.round(index).astype(int) + reach + 1, 1, region.shape)
    counts = np.bincount(region.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].ravel(), minlength=3)[1:3]
    if counts.sum() == 0 or counts[0] == counts[1]:
        return None
    return SIDES[int(np.argmax(counts)) + 1]


def _lap(seconds: dict[str, float], name: str, start: float) -> float:
    now = time.perf_counter()
    seconds[name] = seconds.get(name, 0.0) + now - start
    return now
