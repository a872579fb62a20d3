"""Choose what a network runs on."""

from __future__ import annotations

from medimg.errors import OptionError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> str:
    """Return the torch device for `name`; "auto" takes a CUDA device if there is one, else the CPU.

    Raises:
        OptionError: the device is unknown or not there.
    """
    import torch

    kind = name.split(":")[0]
    if kind not in DEVICES:
        raise OptionError.unknown("device", name, DEVICES)
    if kind == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise OptionError("device", name, "cpu: this machine, or its torch, has no such device")
    return name
