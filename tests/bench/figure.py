"""One measured figure, what it is held against, and whether that was reached. Measures nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Met when one of the bounds that are named is kept."""

    ratio: float | None = None
    """Of ours to the floor."""
    above: float | None = None
    """Of ours less the floor, in the figure's unit."""
    at_most: float | None = None
    """Of ours alone, in the figure's unit."""

    def text(self, unit: str) -> str:
        bounds = (
            (self.ratio, "{:g} x floor"),
            (self.above, "floor + {:g} " + unit),
            (self.at_most, "{:g} " + unit),
        )
        return " or ".join("<= " + form.format(bound) for bound, form in bounds if bound is not None)


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table: medians, taken side by side in one run."""

    what: str
    unit: str
    ours: float
    floor: float | None = None
    """The least that it could be, or what it is compared with."""
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.floor if self.floor else None

    @property
    def above(self) -> float | None:
        return None if self.floor is None else self.ours - self.floor

    @property
    def is_met(self) -> bool | None:
        """None where nothing was aimed at."""
        if self.target is None:
            return None
        pairs = ((self.ratio, self.target.ratio), (self.above, self.target.above), (self.ours, self.target.at_most))
        return any(bound is not None and found is not None and found <= bound for found, bound in pairs)


@dataclass(frozen=True, slots=True)
class Unmeasured(Exception):
    """This machine lacks something that a row needs."""

    reason: str
