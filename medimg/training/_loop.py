"""The loop that every network here is trained by: one-cycle AdamW, averaged weights, checkpoints that a killed run takes up."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

AVERAGE = 0.997  # of the weights' moving average: some 300 steps
WARM = 0.1  # share of a run in which the learning rate rises
CLIP = 5.0  # largest norm of the gradient: the first steps on hard crops overshoot without


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long (`steps` in all or `limit_s` seconds, whichever ends first) and how fast; peak learning rate, decay, seed."""

    steps: int
    learning_rate: float
    weight_decay: float
    seed: int = 0
    save_every: int = 100
    limit_s: float = float("inf")

    def rate(self, share: float) -> float:
        """Return the learning rate after `share` of the run: up to the peak in a tenth of it, then down to nothing."""
        first = 1 / 25
        if share < WARM:
            return self.learning_rate * (first + (1 - first) * (1 - cos(pi * share / WARM)) / 2)
        return self.learning_rate * max((1 + cos(pi * min((share - WARM) / (1 - WARM), 1.0))) / 2, 1e-5)


class Averaged:
    """Moving average of a network's weights; what is shipped is the average."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.count = 0

    def update(self, network: nn.Module) -> None:
        """Take in the network's present weights."""
        self.count += 1
        keep = min(AVERAGE, (1 + self.count) / (10 + self.count))
        import torch

        state = network.state_dict()
        real = [name for name, value in state.items() if value.is_floating_point()]
        mine = [self.weights[name] for name in real]
        torch._foreach_lerp_(mine, [state[name] for name in real], 1 - keep)
        for name in state.keys() - set(real):
            self.weights[name].copy_(state[name])


def train(
    network: nn.Module,
    loss_of: Callable[[nn.Module], dict[str, Tensor]],
    *,
    schedule: Schedule,
    checkpoint: Path,
    start_from: Path | None = None,
    tell: Callable[[str], None],
    tell_every: int = 25,
    device: str = "cpu",
) -> None:
    """Train `network` on what `loss_of` returns (parts of the loss by name, summed), up to `schedule.steps`.

    `checkpoint` is written every `save_every` steps and taken up if it is there; `start_from` gives the first weights. bfloat16
    autocast and channels-last memory make a step eight times faster on a CPU than float32 in the default order.
    """
    import torch

    torch.manual_seed(schedule.seed)
    network.to(device, memory_format=torch.channels_last_3d).train()  # type: ignore[call-overload]
    if start_from is not None:
        network.load_state_dict(torch.load(start_from, weights_only=True, map_location=device)["average"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    average, step, spent_s = Averaged(network), 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average.weights, average.count, step, spent_s = state["average"], state["step"], state["step"], state["spent_s"]
        tell(f"taken up at step {step}")
    begun = time.monotonic() - spent_s
    sums: dict[str, Tensor] = {}
    share = max(step / schedule.steps, spent_s / schedule.limit_s)
    while share < 1:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(share)
        parts = loss_of(network)
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        average.update(network)
        step += 1
        spent_s = time.monotonic() - begun
        share = max(step / schedule.steps, spent_s / schedule.limit_s)
        sums = {name: sums[name] + value.detach() if name in sums else value.detach() for name, value in parts.items()}
        if step % tell_every == 0:
            means = "  ".join(f"{name} {float(value) / tell_every:.4f}" for name, value in sums.items())
            tell(f"step {step} of {schedule.steps}  {spent_s:.0f} s  {means}")
            sums = {}
        if step % schedule.save_every == 0 or share >= 1:
            state = {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.weights,
                "step": step,
                "spent_s": spent_s,
            }
            torch.save(state, checkpoint.with_suffix(".partial"))
            os.replace(checkpoint.with_suffix(".partial"), checkpoint)
