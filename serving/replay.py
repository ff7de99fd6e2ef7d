"""The sky of a window, frame by frame: what changes, as history tells it, becomes whole frames, one a line of NDJSON.

Pure: no store and no HTTP. Rows come in the order of frames (`queries.replay`): of each flight its newest position
within the step, and once more, with `inside` false, when it has left the box. What is held is one sky, as bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from flight_platform.history.queries import INSTANT
from flight_platform.history.table import Row, columns
from serving.live_answers import LiveFlight
from serving.problems import invalid
from serving.rows import dumps, objects

STEPS_S: Final = (1, 3600)
LONGEST: Final = timedelta(hours=1)  # of a window: what is scanned is all that came in it
MOST_FRAMES: Final = 720
MOST_POSITIONS: Final = 2_000_000  # in all frames together, about 700 MB of JSON


class Replay:
    """Writes the frames of a window, both ends included; where the last step is not whole there is no frame."""

    def __init__(self, from_time: datetime, to_time: datetime, step: timedelta, limit: int) -> None:
        self.from_time, self.to_time, self.step = from_time, to_time, step
        self.frames = (to_time - from_time) // step + 1
        self._limit = limit
        self._next = 0
        self._sky: dict[str, tuple[datetime, bytes]] = {}

    def check(self) -> None:
        """Raises a 422 that says what to narrow, where nobody could be given as much."""
        if self.to_time - self.from_time > LONGEST:
            hours = LONGEST / timedelta(hours=1)
            raise invalid("from", f"a replay is {hours:g} hour at most: bring from and to closer together")
        if self.frames > MOST_FRAMES:
            raise invalid(
                "step_s", f"these are {self.frames} frames, {MOST_FRAMES} are possible: a longer step_s or less time"
            )

    def check_size(self, flights: int) -> None:
        """The same, once it is known how many flights the first frame has."""
        if flights * self.frames > MOST_POSITIONS:
            much = f"{self.frames} frames of some {flights} flights are more than {MOST_POSITIONS} positions"
            raise invalid("bbox", f"{much}: a smaller bbox, a longer step_s or less time")

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """The frames that are whole with these rows."""
        told = columns(rows)
        if not told:
            return
        texts = objects(rows, LiveFlight.model_fields)
        for frame, inside, flight_id, time, text in zip(
            told["frame"], told["inside"], told["flight_id"], told["time"], texts, strict=True
        ):
            if frame > self._next:
                yield from self._until(frame)
            if inside:
                self._sky[flight_id] = time, text.encode()
            else:
                self._sky.pop(flight_id, None)

    def end(self) -> Iterable[bytes]:
        """The frames that are left."""
        yield from self._until(self.frames)

    def _until(self, frame: int) -> Iterator[bytes]:
        while self._next < min(frame, self.frames):
            yield self._line(self.from_time + self._next * self.step)
            self._next += 1

    def _line(self, time: datetime) -> bytes:
        """The frame of a time: who was not heard of for a minute is not in it any more, as with an instant."""
        self._sky = {flight: (at, text) for flight, (at, text) in self._sky.items() if at > time - INSTANT}
        shown = [text for _, (_, text) in sorted(self._sky.items())[: self._limit]]
        head = dumps({"time": time, "truncated": len(self._sky) > len(shown), "count": len(shown)})
        return b'%b,"positions":[%b]}\n' % (head[:-1], b",".join(shown))
