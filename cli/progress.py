"""Progress for people: a line a step, said when it begins, with the seconds it took when it ends."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

_WIDTH: Final = 58
_PATIENCE_S: Final = 2.0  # what is done sooner needs no remarks


class Progress:
    """Writes the steps of one command."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._open = False  # a step's line waits for its end
        self._step_began = 0.0
        self._started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """One step: its line ends with the seconds, or with `failed`."""
        began = self._step_began = time.monotonic()
        self._write(f"  {text + ' ':.<{_WIDTH}} ")
        self._open = True
        try:
            yield
        except BaseException:
            self._end("failed" if self._open else f"  {text}: failed")
            raise
        took = f"{time.monotonic() - began:.1f} s"
        self._end(took if self._open else f"  {text + ' ':.<{_WIDTH}} {took}")

    def note(self, text: str) -> None:
        """A line of its own, also within a step."""
        if self._open:
            self._end("")
        self._write(f"    {text}\n")

    @property
    def step_s(self) -> float:
        """Seconds since the last step began."""
        return time.monotonic() - self._step_began

    def _end(self, text: str) -> None:
        self._open = False
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class ProgressHandler(logging.Handler):
    """Shows what libraries log while a step runs as notes, once the step takes long (fetching does)."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """One note."""
        if self._progress.step_s > _PATIENCE_S:
            self._progress.note(record.getMessage())
