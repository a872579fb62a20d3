"""The loop that every network here is trained by: one-cycle AdamW, averaged weights, checkpoints that a killed run takes up."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

AVERAGE = 0.997  # of the weights' moving average: some 300 steps
CLIP = 5.0  # largest norm of the gradient: the first steps on hard crops overshoot without


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast: `steps` in all, peak learning rate, weight decay, seed."""

    steps: int
    learning_rate: float
    weight_decay: float
    seed: int = 0
    save_every: int = 100


class Averaged:
    """Moving average of a network's weights; what is shipped is the average."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.count = 0

    def update(self, network: nn.Module) -> None:
        """Take in the network's present weights."""
        self.count += 1
        keep = min(AVERAGE, (1 + self.count) / (10 + self.count))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].mul_(keep).add_(value, alpha=1 - keep)
            else:
                self.weights[name].copy_(value)


def train(
    network: nn.Module,
    loss_of: Callable[[nn.Module], dict[str, Tensor]],
    *,
    schedule: Schedule,
    checkpoint: Path,
    start_from: Path | None = None,
    tell: Callable[[str], None],
    tell_every: int = 25,
) -> None:
    """Train `network` on what `loss_of` returns (parts of the loss by name, summed), up to `schedule.steps`.

    `checkpoint` is written every `save_every` steps and taken up if it is there; `start_from` gives the first weights. bfloat16
    autocast and channels-last memory make a step eight times faster on a CPU than float32 in the default order.
    """
    import torch

    torch.manual_seed(schedule.seed)
    network.to(memory_format=torch.channels_last_3d).train()  # type: ignore[call-overload]
    if start_from is not None:
        network.load_state_dict(torch.load(start_from, weights_only=True)["average"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.learning_rate, total_steps=schedule.steps, pct_start=0.1)
    average, step = Averaged(network), 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        rate.load_state_dict(state["rate"])
        average.weights, average.count, step = state["average"], state["step"], state["step"]
        tell(f"taken up at step {step}")
    begun = time.monotonic()
    sums: dict[str, float] = {}
    while step < schedule.steps:
        parts = loss_of(network)
        optimizer.zero_grad()
        sum(parts.values(), torch.zeros(())).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        rate.step()
        average.update(network)
        step += 1
        sums = {name: sums.get(name, 0.0) + float(value.detach()) for name, value in parts.items()}
        if step % tell_every == 0:
            means = "  ".join(f"{name} {value / tell_every:.4f}" for name, value in sums.items())
            tell(f"step {step} of {schedule.steps}  {time.monotonic() - begun:.0f} s  {means}")
            sums = {}
        if step % schedule.save_every == 0 or step == schedule.steps:
            state = {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rate": rate.state_dict(),
                "average": average.weights,
                "step": step,
            }
            torch.save(state, checkpoint.with_suffix(".partial"))
            os.replace(checkpoint.with_suffix(".partial"), checkpoint)
