"""Which flights somebody wants to see: a box and filters, the same for lists and for streams.

What a flight does not tell does not match: unknown is not false. How an answer is written is no matter of a selection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator
from pydantic_core.core_schema import ValidationInfo

from flight_platform.model import Kind, Position
from serving.frame import Frame, Mask
from serving.parameters import EXAMPLES, Box, CallsignPrefix, Query, SourceName

_KINDS: Final = {kind.label: kind for kind in Kind}
_ALTITUDES: Final[dict[str, Any]] = {"ge": -2000, "le": 200_000}
_SPEEDS: Final[dict[str, Any]] = {"ge": 0, "le": 5000, "allow_inf_nan": False}


def _kind(value: Any) -> Kind:
    try:
        return _KINDS[str(value).strip().lower()]
    except KeyError:
        raise ValueError(f"{str(value)[:40]!r} is no kind; there are {', '.join(_KINDS)}") from None


KindText = Annotated[Kind, BeforeValidator(_kind), WithJsonSchema({"enum": list(_KINDS)})]


def field(name: str, description: str, default: Any = None, **limits: Any) -> Any:
    """A parameter with the example of its name."""
    return Field(default, description=description, examples=[EXAMPLES[name]], **limits)


class Selection(Query):
    """Filters by what a flight tells of itself."""

    on_ground: bool | None = field("on_ground", "only those on the ground, or only those that are not")
    min_altitude_ft: int | None = field("min_altitude_ft", "barometric altitude at least", **_ALTITUDES)
    max_altitude_ft: int | None = field("max_altitude_ft", "barometric altitude at most", **_ALTITUDES)
    min_ground_speed_kt: float | None = field("min_ground_speed_kt", "ground speed at least", **_SPEEDS)
    max_ground_speed_kt: float | None = field("max_ground_speed_kt", "ground speed at most", **_SPEEDS)
    callsign: CallsignPrefix | None = field("callsign", "the first letters of the callsign")
    source: SourceName | None = field("source", "the feed that took the report")
    kind: KindText | None = field("kind", "how the position came about")
    max_age_s: float | None = field("max_age_s", "age of the position at most", ge=0, le=3600, allow_inf_nan=False)

    @field_validator("max_altitude_ft", "max_ground_speed_kt")
    @classmethod
    def _is_above(cls, value: float | None, info: ValidationInfo) -> float | None:
        lowest = f"min_{(info.field_name or '').removeprefix('max_')}"
        low = info.data.get(lowest)
        if value is not None and low is not None and value < low:
            raise ValueError(f"{value:g} is below {lowest}, {low:g}")
        return value

    @property
    def select(self) -> bool:
        """Whether any flight could be left out."""
        return any(getattr(self, name) is not None for name in Selection.model_fields)

    @property
    def selection(self) -> "Selection":
        """The filters alone, without what else is asked with them."""
        return Selection.model_construct(**{name: getattr(self, name) for name in Selection.model_fields})

    def mask(self, frame: Frame) -> Mask:
        """Which flights of a frame match at its time."""
        kept: Mask = np.ones(len(frame.flight_ids), dtype=bool)
        if self.on_ground is not None:
            kept &= frame.on_ground == self.on_ground
        if self.min_altitude_ft is not None:
            kept &= frame.altitudes_ft >= self.min_altitude_ft
        if self.max_altitude_ft is not None:
            kept &= frame.altitudes_ft <= self.max_altitude_ft
        if self.min_ground_speed_kt is not None:
            kept &= frame.ground_speeds_kt >= self.min_ground_speed_kt
        if self.max_ground_speed_kt is not None:
            kept &= frame.ground_speeds_kt <= self.max_ground_speed_kt
        if self.callsign is not None:
            kept &= frame.called(self.callsign)
        if self.source is not None:
            kept &= frame.from_source(self.source)
        if self.kind is not None:
            kept &= frame.kinds == self.kind
        if self.max_age_s is not None:
            kept &= frame.times >= frame.time_ms - self.max_age_s * 1000
        return kept

    def chosen(self, positions: Sequence[Position], frame: Frame) -> list[Position]:
        """Those of the positions that match, where `frame` is the one of them."""
        return [positions[place] for place in np.flatnonzero(self.mask(frame)).tolist()]


@dataclass(frozen=True, slots=True)
class View:
    """What one who watches wants to see: a box (None is everywhere), and filters where there are any."""

    box: Box | None = None
    selection: Selection | None = None

    @property
    def ages(self) -> bool:
        """Whether a flight may leave it without any news of it."""
        return self.selection is not None and self.selection.max_age_s is not None

    def mask(self, frame: Frame) -> Mask:
        """Which flights of a frame are seen."""
        inside = frame.within(self.box)
        if self.selection is None:
            return inside
        if self.box is None:
            return self.selection.mask(frame)
        places = np.flatnonzero(inside)  # mostly few: then the rest need not be looked at
        if len(places):
            inside[places] = self.selection.mask(frame.at(places))
        return inside
