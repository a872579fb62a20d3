"""Everything medimg raises on purpose.

    MedimgError                 exit code 1
    |-- OptionError             2   an option has a value that cannot be
    |-- ScanError               3   nothing there that can be read as a scan
    |   `-- ManyVolumesError    3   one volume was asked for and there are several
    |-- UnsuitableScanError     4   a scan that was read, but is outside of what the model was made for
    |-- ModelError              5   a model package or its weights are missing or damaged
    |-- WriteError              6   a result could not be written; nothing half-written is left
    |-- GeometryError           7   a grid that a step cannot work on, or two that do not fit
    |-- MissingExtraError       8   an optional package is not installed
    |-- NodeError              10   a PACS or archive is not there, or does not speak to us
    |-- DeliveryError          11   something was sent and is not where it should be; the same again will not help
    `-- OutboxError            13   the outbox is damaged, in use for too long, or none of ours

Every message says what is wrong in one sentence and the remedy in the next. No message holds patient data: files are named by
their name within the folder the user gave, never by what stands in them. `studies that ended badly` in an otherwise complete run
give exit code 9, what a node took and lets nobody ask for gives 12, what waits in the outbox because a node is
down 14, and Ctrl-C 130; none is raised below the command line.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SOME_STUDIES_FAILED = 9
NOT_PROVEN = 12
RESULTS_WAIT = 14
INTERRUPTED = 130


class MedimgError(Exception):
    """Base of all errors of medimg; `exit_code` is what the command line returns for it."""

    exit_code = 1


class OptionError(MedimgError):
    """An option has a value that cannot be.

    >>> raise OptionError("sigma_mm", -1, "a width above 0 mm")
    Traceback (most recent call last):
    medimg.errors.OptionError: sigma_mm cannot be -1. Give a width above 0 mm.
    """

    exit_code = 2

    def __init__(self, name: str, value: object, wanted: str) -> None:
        super().__init__(f"{name} cannot be {value}. Give {wanted}.")
        self.name, self.value = name, value

    @classmethod
    def unknown(cls, name: str, value: str, known: Iterable[str]) -> OptionError:
        """Make the error for a name that is not one of `known`, with the nearest one as the remedy.

        >>> print(OptionError.unknown("model", "lung-nodul", ["lung-nodule", "liver"]))
        model cannot be lung-nodul. Give lung-nodule (the nearest), or one of: liver, lung-nodule.
        """
        names = sorted(known)
        near = get_close_matches(value, names, n=1)
        listed = f"one of: {', '.join(names)}" if names else "none: there is nothing to choose from"
        return cls(name, value, f"{near[0]} (the nearest), or {listed}" if near else listed)


class ScanError(MedimgError):
    """Nothing there that can be read as a scan."""

    exit_code = 3


class ManyVolumesError(ScanError):
    """One volume was asked for and there are several; the message names the choices."""


class UnsuitableScanError(MedimgError):
    """A scan that was read, but is outside of what the model was made for."""

    exit_code = 4


class ModelError(MedimgError):
    """A model package or its weights are missing, damaged or not what the card says."""

    exit_code = 5


class WriteError(MedimgError):
    """A result could not be written; nothing half-written is left."""

    exit_code = 6


class GeometryError(MedimgError):
    """A grid that a step cannot work on, or two grids that do not fit each other."""

    exit_code = 7


class MissingExtraError(MedimgError):
    """An optional package is not installed.

    >>> raise MissingExtraError("itk", extra="itk")
    Traceback (most recent call last):
    medimg.errors.MissingExtraError: This needs the package itk, which is not installed. Run: pip install 'medimg[itk]'.
    """

    exit_code = 8

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"This needs the package {package}, which is not installed. Run: pip install 'medimg[{extra}]'.")


class NodeError(MedimgError):
    """A PACS or archive is not there, or does not speak to us.

    `retry` says whether the same may succeed later (it is down, busy or slow), or only after somebody has changed something (an
    AE title that it does not know, a certificate that is not trusted).
    """

    exit_code = 10

    def __init__(self, message: str, *, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


class DeliveryError(MedimgError):
    """Something was sent and is not where it should be; the same again will not help."""

    exit_code = 11


class OutboxError(MedimgError):
    """The outbox is damaged, in use for too long, or none of ours."""

    exit_code = 13
