"""A small model that a person can follow: a logistic regression on measured numbers, with its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Term:
    """One number that is weighed: its name (`medimg.measures.descriptors`), words for it, its mean and spread, its weight."""

    feature: str
    words: str
    mean: float
    spread: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """sigmoid(intercept + sum of weight * (number - mean) / spread), fitted on training patients.

    Args:
        name, meaning: of the score that it gives.
        intercept, terms: what it is made of.
    """

    name: str
    meaning: str
    intercept: float
    terms: tuple[Term, ...]

    def contributions(self, measured: Mapping[str, float]) -> dict[str, float]:
        """Return what each term adds to the logit; of a number that was not measured nothing."""
        return {
            term.feature: term.weight * (measured[term.feature] - term.mean) / term.spread if term.feature in measured else 0.0
            for term in self.terms
        }

    def logit(self, measured: Mapping[str, float]) -> float:
        """Return the logit of the score."""
        return self.intercept + sum(self.contributions(measured).values())

    def value(self, measured: Mapping[str, float]) -> float:
        """Return the score, 0 to 1."""
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self.logit(measured)))))
