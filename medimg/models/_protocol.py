"""What a file of `networks/` has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn


class Network(Protocol):
    """A network: what a stage of a card names, and the arguments that the card gives it."""

    def build(self, **arguments: Any) -> nn.Module:
        """Build the network, untrained; every argument has a default."""
        ...
