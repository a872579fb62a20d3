"""Paint the anatomy in Hounsfield units, slice by slice, as a scanner would see it without noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.phantoms import _bones, _nodules, _vessels
from medimg.phantoms._anatomy import AIRWAY_WALL_MM, COARSE_MM
from medimg.phantoms._noise import unevenness
from medimg.phantoms._shapes import coverage, ellipsoid
from medimg.phantoms._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.phantoms._anatomy import Anatomy
    from medimg.phantoms._nodules import Nodule
    from medimg.phantoms._vessels import Plumbing

    Field = NDArray[np.float64]

BLUR_MM = 0.6  # standard deviation of the point spread of a soft kernel in the slice (1.4 mm at half its height)
# HU of tissues, without contrast medium
AIR, FAT, MUSCLE, SKIN, BLOOD, HEART, FLUID = -1000.0, -104.0, 52.0, 15.0, 44.0, 42.0, 12.0
LIVER, SPLEEN, STOMACH, DISC, CARTILAGE, GULLET = 60.0, 50.0, 28.0, 75.0, 110.0, 36.0
MARROW, CORTEX = 160.0, 620.0
SHEATH = -86.0  # fat of the mediastinum, with the small vessels in it
AIRWAY_AIR = -985.0
LUNG_FRONT, LUNG_BACK = -888.0, -838.0  # a lung is denser below: blood goes with gravity, and the phantom lies on its back
LUNG_PATCHES_HU, LUNG_GRAIN_HU = 9.0, 11.0  # unevenness over some 15 mm, and that of vessels too fine to draw
FISSURE_HU, FISSURE_HALF_MM = -560.0, 0.35
BONE_SHELL_MM, VERTEBRA_SHELL_MM = 1.5, 1.1
SKIN_MM = 2.0
TABLE_HU, TABLE_HALF_MM = -420.0, 1.6
TABLE_Y_MM = 112.0  # where the back touches it


class Painter:
    """Paints thin slices of the chest; `axes` are z, y and x in mm of what it paints."""

    def __init__(
        self, anatomy: Anatomy, *, axes: tuple[Field, Field, Field], plumbing: Plumbing, nodules: Sequence[Nodule], seed: int
    ) -> None:
        self.anatomy, self.axes = anatomy, axes
        self.x, self.y = axes[2][None, :], axes[1][:, None]
        self.vessels = _vessels.draw(plumbing.vessels, axes=axes, blur_mm=BLUR_MM)
        self.wall = _vessels.draw(plumbing.wall, axes=axes, blur_mm=BLUR_MM)
        self.lumen = _vessels.draw(plumbing.lumen, axes=axes, blur_mm=BLUR_MM)
        self.nodules = [(nodule.plan, *_nodules.draw(nodule, axes=axes, blur_mm=BLUR_MM)) for nodule in nodules]
        coarse = anatomy.body.shape
        self.patches = unevenness(Stream(seed, "patches"), coarse, sigma=(3.5, 3.5, 3.5))
        self.planes = unevenness(Stream(seed, "fat planes"), coarse, sigma=(5, 2.2, 4.5))
        self.marrow = unevenness(Stream(seed, "marrow"), coarse, sigma=(0.7, 0.7, 0.7))
        self.grain = Stream(seed, "grain")
        self._grain = np.zeros((len(axes[1]), len(axes[2])))

    def slice(self, number: int) -> Field:
        """Return the thin slice (row, column) in HU; the slices must be asked for in order."""
        z = float(self.axes[0][number])
        body, outside = self._at(self.anatomy.body, z), self._at(self.anatomy.outside, z)
        image = self._wall(z, body, outside)
        image = self._inside(z, image, outside)
        image = self._skeleton(z, image, outside)
        lungs = coverage(self._at(self.anatomy.lungs, z), blur_mm=BLUR_MM)
        image = _over(image, self._lung(z, number), lungs)
        return self._solid_nodules(number, self._pipes(z, number, image, outside))

    def _at(self, field: Field, z: float) -> Field:
        """Look a coarse field up at the pixels of the slice at `z`, linearly along every axis."""
        whole, below, part = [], [], []
        for axis, wanted in zip(self.anatomy.axes, (np.array([z]), self.axes[1], self.axes[2]), strict=True):
            position = np.clip((wanted - axis[0]) / COARSE_MM, 0, len(axis) - 1.000001)
            whole.append(position.astype(np.int64))
            part.append(position - whole[-1])
            below.append(1 - part[-1])
        plane = field[whole[0][0]] * below[0][0] + field[whole[0][0] + 1] * part[0][0]
        plane = plane[whole[1]] * below[1][:, None] + plane[whole[1] + 1] * part[1][:, None]
        found: Field = plane[:, whole[2]] * below[2] + plane[:, whole[2] + 1] * part[2]
        return found

    def _wall(self, z: float, body: Field, outside: Field) -> Field:
        """Air, table, skin, fat under the skin, muscles with fat between them."""
        x, y = self.x, self.y
        image = np.full(body.shape, AIR)
        bed = np.abs(y - TABLE_Y_MM - 8 + 0.0006 * x**2) - TABLE_HALF_MM
        image = _over(image, TABLE_HU, coverage(np.maximum(bed, np.abs(x) - 168), blur_mm=BLUR_MM))
        image = _over(image, SKIN, coverage(body, blur_mm=BLUR_MM))
        planes = self._at(self.planes, z)
        image = _over(image, FAT + 6 * self._at(self.patches, z), coverage(body + SKIN_MM, blur_mm=BLUR_MM))
        front = np.clip(-y / 90, 0, 1)
        under_skin = 8.0 + 7 * front + 5 * np.clip((z - 180) / 30, 0, 1) + 3 * np.clip(1 - z / 120, 0, 1) + 1.5 * planes
        muscle = np.maximum(body + under_skin, -outside + 1.0)
        breast = 9 * np.clip((z - 110) / 50, 0, 1) * np.clip((np.abs(x) - 20) / 6, 0, 1)  # the large muscle of the breast
        in_front = 15 + breast + 45 * np.clip((z - 180) / 30, 0, 1) + 70 * np.clip((y + 48) / 36, 0, 1)
        muscle = np.maximum(muscle, outside - in_front)
        armpit = ellipsoid((np.abs(x), y, np.asarray(z)), (122, -14, 206), (26, 30, 36)) + 2.5 * planes
        muscle = np.maximum(muscle, -armpit)
        sheets = np.minimum(np.abs(outside - 13.5 - 2.5 * planes), np.abs(outside - 23 - 5 * planes))  # fat between the muscles
        muscle = np.maximum(muscle, 0.7 - sheets - np.clip((z - 185) / 20, 0, 1))
        image = _over(image, MUSCLE + 3 * self._at(self.marrow, z), coverage(muscle, blur_mm=BLUR_MM))
        # a sheet of muscle and pleura lines the chest everywhere
        lining = np.maximum(np.abs(outside - 4.5) - 4.0, body + SKIN_MM)
        return _over(image, MUSCLE, coverage(lining, blur_mm=BLUR_MM))

    def _inside(self, z: float, image: Field, outside: Field) -> Field:
        """Mediastinum and abdomen, without the lungs."""
        anatomy = self.anatomy
        points = (self.x, self.y, np.asarray(z))
        cavity = coverage(outside, blur_mm=BLUR_MM)
        image = _over(image, SHEATH + 5 * self._at(self.patches, z), cavity)
        belly = self._at(anatomy.diaphragm, z)
        abdomen = np.maximum(belly, outside)
        image = _over(image, MUSCLE, coverage(np.maximum(abdomen, -4.0 - belly), blur_mm=BLUR_MM))
        image = _over(image, FAT, coverage(abdomen + 2.5, blur_mm=BLUR_MM))
        liver = np.maximum(ellipsoid(points, (-62, -8, 8), (112, 96, 66)), self.x - 34 + 0.25 * self.y)
        spleen = ellipsoid(points, (88, 38, 14), (36, 44, 46))
        stomach = ellipsoid(points, (62, -34, 16), (46, 48, 46))
        for organ, hu in ((stomach, STOMACH), (spleen, SPLEEN), (liver, LIVER)):
            image = _over(image, hu, coverage(np.maximum(organ, abdomen + 3.0), blur_mm=BLUR_MM))
        image = _over(image, HEART, coverage(self._at(anatomy.heart, z), blur_mm=BLUR_MM))
        image = _over(image, GULLET, coverage(self._at(anatomy.esophagus, z), blur_mm=BLUR_MM))
        return _over(image, BLOOD, coverage(self._at(anatomy.vessels, z), blur_mm=BLUR_MM))

    def _skeleton(self, z: float, image: Field, outside: Field) -> Field:
        x, y = self.x, self.y
        rib, cartilage = _bones.ribs(x, y, z, outside)
        vertebra, disc, canal = _bones.spine(x, y, z)
        image = _over(image, MUSCLE, coverage(np.minimum(vertebra, disc) - 2.5, blur_mm=1.5))
        image = _over(image, CARTILAGE, coverage(cartilage, blur_mm=BLUR_MM))
        image = _over(image, DISC, coverage(disc, blur_mm=BLUR_MM))
        image = _over(image, FLUID, coverage(canal, blur_mm=BLUR_MM))
        marrow = MARROW + 28 * self._at(self.marrow, z)
        front = np.minimum(_bones.breast_bone(x, z, outside, y), _bones.collar_bones(x, y, z))
        cage = np.minimum(np.minimum(rib, _bones.shoulder_blades(x, y, z)), front)
        for bone, shell in ((vertebra, VERTEBRA_SHELL_MM), (cage, BONE_SHELL_MM)):
            image = _over(image, CORTEX, coverage(bone, blur_mm=BLUR_MM))
            image = _over(image, marrow, coverage(bone + shell, blur_mm=BLUR_MM))
        return image

    def _lung(self, z: float, number: int) -> Field:
        """What a lung is made of: tissue, fissures, ground glass."""
        from scipy.ndimage import gaussian_filter

        fresh = gaussian_filter(self.grain.normal(self._grain.shape), 0.9, mode="wrap")
        self._grain = 0.55 * self._grain + np.sqrt(1 - 0.55**2) * fresh / 0.31  # 0.31: what the filter leaves of a deviation of 1
        gravity = np.clip((self.y + 85) / 165, 0, 1)
        tissue = LUNG_FRONT + (LUNG_BACK - LUNG_FRONT) * gravity**1.3
        tissue = tissue + LUNG_PATCHES_HU * self._at(self.patches, z) + LUNG_GRAIN_HU * self._grain
        depth = self._at(self.anatomy.lungs, z)
        tissue = tissue + 60 * gravity**2 * np.exp(np.clip(depth, -50, 0) / 3.5)  # the lowest rim is a little airless
        sheet = coverage(self._at(self.anatomy.fissures, z) - FISSURE_HALF_MM, blur_mm=BLUR_MM)
        tissue = _over(tissue, FISSURE_HU, sheet)
        for plan, box, share in self.nodules:
            if plan.kind != "solid" and box[0].start <= number < box[0].stop:
                near = box[1:]
                uneven = plan.texture_hu * self._at(self.marrow, z)[near]
                tissue[near] = _over(tissue[near], plan.hu + uneven, share[number - box[0].start])
        return tissue

    def _pipes(self, z: float, number: int, image: Field, outside: Field) -> Field:
        """Vessels and airways, from the hilum to the pleura; none outside of lungs and mediastinum."""
        place = coverage(np.maximum(outside, -self._at(self.anatomy.diaphragm, z)), blur_mm=BLUR_MM)
        airway = self._at(self.anatomy.airway, z)
        image = _over(image, BLOOD, place * self.vessels[number])
        image = _over(image, MUSCLE, place * self.wall[number])
        image = _over(image, MUSCLE, coverage(airway - AIRWAY_WALL_MM, blur_mm=BLUR_MM))
        image = _over(image, AIRWAY_AIR, place * self.lumen[number])
        return _over(image, AIRWAY_AIR, coverage(airway, blur_mm=BLUR_MM))

    def _solid_nodules(self, number: int, image: Field) -> Field:
        for plan, box, share in self.nodules:
            if plan.kind == "solid" and box[0].start <= number < box[0].stop:
                near = box[1:]
                image[near] = _over(image[near], plan.hu, share[number - box[0].start])
        return image


def _over(image: Field, hu: float | Field, share: Field) -> Field:
    """Return the image with a tissue of `hu` laid over it, `share` of each pixel."""
    return image + share * (hu - image)
