"""Several processes that train one network, as `torchrun` starts them (https://docs.pytorch.org/docs/stable/elastic/run.html)."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

PATIENCE = timedelta(hours=6)  # one process mines and measures while the others wait for it


class Team:
    """The processes of a run; one process is a team of its own."""

    def __init__(self, device: str = "cpu") -> None:
        import torch.distributed

        self.size, self.rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if self.size > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    def shared(self, network: nn.Module) -> nn.Module:
        """Return the network, its gradients averaged over the processes."""
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(network)

    def agreed(self, value: float) -> float:
        """Return the first process' value in all of them: they must end, and change their pace, at the same step."""
        if self.size == 1:
            return value
        import torch

        told = torch.tensor([value], dtype=torch.float64)
        if torch.distributed.get_backend() == "nccl":
            told = told.cuda()
        torch.distributed.broadcast(told, 0)
        return float(told.item())

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            import torch.distributed

            torch.distributed.barrier()
