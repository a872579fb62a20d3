"""A model package: a folder with a card and its weights."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools import registry
from medimg.errors import ModelError, OptionError
from medimg.models.card import CARD_FILE, ModelCard, Stage, read_card

if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGED = Path(__file__).parent / "packaged"
REMEDY = "Install medimg again, or copy the model's folder again"


@dataclass(frozen=True)
class ModelPackage:
    """A card and the folder that its weights lie in. Weights are read, and their hash is checked, on demand."""

    card: ModelCard
    folder: Path

    def weights(self, stage: Stage) -> dict[str, Tensor]:
        """Read the weights of a stage (safetensors: data only, nothing is executed), as float32.

        Raises:
            ModelError: the file is missing, damaged, or not the one that the card was written for.
        """
        import safetensors.torch

        path = self.folder / stage.weights_file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"The weights {path.name} of {self.card.name} cannot be read: {error.strerror}. {REMEDY}."
            ) from error
        if sha256(content).hexdigest() != stage.weights_sha256:
            raise ModelError(
                f"The weights {path.name} of {self.card.name} are damaged or not those of its card (SHA-256 differs). {REMEDY}."
            )
        try:
            return {
                name: tensor.float() if tensor.is_floating_point() else tensor
                for name, tensor in safetensors.torch.load(content).items()
            }
        except Exception as error:
            raise ModelError(f"The weights {path.name} of {self.card.name} are not safetensors: {error}. {REMEDY}.") from error

    def network(self, stage: Stage) -> nn.Module:
        """Build the network of a stage with its weights, in evaluation mode.

        Raises:
            ModelError: the network is unknown or the weights do not fit it.
        """
        module = registry.load("medimg.models.networks", stage.network, option="network")
        network: nn.Module = module.build(**stage.arguments)
        try:
            network.load_state_dict(self.weights(stage))
        except RuntimeError as error:
            raise ModelError(f"The weights {stage.weights_file} do not fit the network {stage.network}. {REMEDY}.") from error
        return network.eval()


def names() -> tuple[str, ...]:
    """List the packaged models and those of third parties (entry point group `medimg.models`: the path of a package folder)."""
    from importlib.metadata import entry_points

    own = {card.parent.name for card in PACKAGED.glob(f"*/{CARD_FILE}")}
    return tuple(sorted(own | {point.name for point in entry_points(group="medimg.models")}))


def load_package(name: str | Path) -> ModelPackage:
    """Find a model by its name, or by the path of a folder that holds a card.

    Raises:
        OptionError: there is no model of that name; the nearest one is named.
        ModelError: its card is missing or wrong.
    """
    from importlib.metadata import entry_points

    given = Path(name)
    if given.name != str(name) or given.is_dir():
        if not (given / CARD_FILE).is_file():
            raise ModelError(
                f"{given.name} is no model package: it holds no {CARD_FILE}. Give a packaged model's name: {', '.join(names())}."
            )
        return ModelPackage(read_card(given / CARD_FILE), given)
    if str(name) not in names():
        raise OptionError.unknown("model", str(name), names())
    folder = PACKAGED / str(name)
    for point in entry_points(group="medimg.models", name=str(name)):
        folder = Path(point.load())
    return ModelPackage(read_card(folder / CARD_FILE), folder)
