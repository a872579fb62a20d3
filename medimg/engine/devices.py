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

    kind, colon, number = name.partition(":")
    if kind not in DEVICES or (colon and (kind != "cuda" or not number.isdecimal())):
        raise OptionError.unknown("device", name, DEVICES)
    if kind == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise OptionError("device", name, "cpu: this machine, or its torch, has no such device")
    if number and int(number) >= torch.cuda.device_count():
        raise OptionError("device", name, f"one of the {torch.cuda.device_count()} of this machine: cuda:0 is the first")
    return name
