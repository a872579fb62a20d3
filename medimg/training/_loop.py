"""The loop that every network here is trained by: one-cycle AdamW, averaged weights, checkpoints that a killed run takes up."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

AVERAGE = 0.997  # of the weights' moving average: some 300 steps
WARM = 0.1  # share of a run in which the learning rate rises
CHECKED_BATCHES = 8  # of a check on other patients
CLIP = 5.0  # largest norm of the gradient: the first steps on hard crops overshoot without


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long (`steps` in all or `limit_s` seconds, whichever ends first) and how fast; peak learning rate, decay, seed.

    With `patience` a run also ends when that many checks in a row, one every `check_every` steps, were no better than the best.
    """

    steps: int
    learning_rate: float
    weight_decay: float
    seed: int = 0
    save_every: int = 100
    limit_s: float = float("inf")
    check_every: int = 200
    patience: int = 0

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
    check: Callable[[nn.Module], float] | None = None,
    taken_up: Callable[[int], None] = lambda step: None,
    tell: Callable[[str], None],
    tell_every: int = 25,
    progress: Callable[[int, int], None] = lambda done, total: None,
    device: str = "cpu",
) -> None:
    """Train `network` on what `loss_of` returns (parts of the loss by name, summed), up to `schedule.steps`.

    `checkpoint` is written every `save_every` steps and taken up if it is there, so that a run that was killed goes on;
    `start_from` gives the first weights. `check` gives a loss of the averaged weights on other patients: the best of them are
    kept, and `schedule.patience` ends a run that gets no better. `taken_up` is called with the step that a run goes on from, so
    that it does not draw once more what it drew before. Where TensorBoard is installed a log is written beside the checkpoint.
    Under `torchrun` the processes share the work (gradients are averaged), and the first one writes.

    bfloat16 autocast and channels-last memory make a step eight times faster on a CPU than float32 in the default order.
    """
    import torch

    from medimg.training._parallel import Team

    team = Team(device)
    torch.manual_seed(schedule.seed)
    network.to(device, memory_format=torch.channels_last_3d).train()  # type: ignore[call-overload]
    if start_from is not None:
        network.load_state_dict(torch.load(start_from, weights_only=True, map_location=device)["average"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    run = Run(Averaged(network))
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        run.take_up(state)
        taken_up(run.step)
        tell(f"taken up at step {run.step}")
    shared = team.shared(network)
    log = _log(checkpoint.with_suffix(".log")) if team.is_first else None
    begun = time.monotonic() - run.spent_s
    sums: dict[str, Tensor] = {}
    share = team.agreed(run.share(schedule))
    while share < 1:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(share)
        parts = loss_of(shared)
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        run.average.update(network)
        run.step += 1
        run.spent_s = time.monotonic() - begun
        sums = {name: sums[name] + value.detach() if name in sums else value.detach() for name, value in parts.items()}
        if run.step % tell_every == 0:
            means = {name: float(value) / tell_every for name, value in sums.items()}
            tell(
                f"step {run.step} of {schedule.steps}  {run.spent_s:.0f} s  "
                + "  ".join(f"{k} {v:.4f}" for k, v in means.items())
            )
            if log is not None:
                for name, value in means.items():
                    log.add_scalar(f"loss/{name}", value, run.step)
                log.add_scalar("learning rate", schedule.rate(share), run.step)
            sums = {}
        progress(run.step, schedule.steps)
        if check is not None and run.step % schedule.check_every == 0:
            loss = team.agreed(run.checked(network, check))
            tell(f"step {run.step}: {loss:.4f} on other patients, best {run.best:.4f}")
            if log is not None:
                log.add_scalar("loss on other patients", loss, run.step)
        share = team.agreed(1.0 if run.is_stale(schedule) else run.share(schedule))
        if team.is_first and (run.step % schedule.save_every == 0 or share >= 1):
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), **run.state()}
            torch.save(state, checkpoint.with_suffix(".partial"))
            os.replace(checkpoint.with_suffix(".partial"), checkpoint)
    team.wait()
    if log is not None:
        log.close()


def checker(
    batch: Callable[[], tuple[Tensor, ...]],
    loss_of: Callable[[nn.Module, tuple[Tensor, ...]], dict[str, Tensor]],
    *,
    batches: int = CHECKED_BATCHES,
) -> Callable[[nn.Module], float]:
    """Return a check on batches that are drawn once, so that every check is of the same crops."""
    kept: list[tuple[Tensor, ...]] = []

    def check(network: nn.Module) -> float:
        if not kept:
            kept.extend(batch() for _ in range(batches))
        return sum(float(value) for one in kept for value in loss_of(network, one).values()) / len(kept)

    return check


def own_seed(seed: int) -> int:
    """Return the seed of this process' crops: those of a team draw different ones."""
    return seed + 1000 * int(os.environ.get("RANK", "0"))


def _log(folder: Path) -> Any:
    """Return a TensorBoard writer, None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))


class Run:
    """How far a run is, and the weights that it will give: the average, or the best of them that were checked."""

    def __init__(self, average: Averaged) -> None:
        self.average, self.step, self.spent_s = average, 0, 0.0
        self.best, self.best_step = float("inf"), 0
        self.best_weights: dict[str, Tensor] | None = None

    def share(self, schedule: Schedule) -> float:
        """Return which share of the run is done."""
        return max(self.step / schedule.steps, self.spent_s / schedule.limit_s)

    def is_stale(self, schedule: Schedule) -> bool:
        """Say whether too many checks in a row were no better."""
        return bool(schedule.patience) and self.step - self.best_step >= schedule.patience * schedule.check_every

    def checked(self, network: nn.Module, check: Callable[[nn.Module], float]) -> float:
        """Measure the averaged weights, keep them if they are the best, and leave the network as it was."""
        import torch

        own = {name: value.detach().clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self.average.weights)
        network.eval()
        with torch.no_grad():
            loss = check(network)
        network.load_state_dict(own)
        network.train()
        if loss < self.best:
            self.best, self.best_step = loss, self.step
            self.best_weights = {name: value.clone() for name, value in self.average.weights.items()}
        return loss

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; `average` are the weights to use."""
        found: dict[str, Any] = {"running": self.average.weights, "step": self.step, "spent_s": self.spent_s}
        best: dict[str, Any] = {"best": self.best, "best_step": self.best_step} if self.best_weights else {}
        return found | best | {"average": self.best_weights or self.average.weights}

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.step, self.spent_s = state["step"], state["spent_s"]
        self.average.weights, self.average.count = state.get("running", state["average"]), state["step"]
        if "best" in state:
            self.best, self.best_step, self.best_weights = state["best"], state["best_step"], state["average"]
