"""Rows of an answer as the store gives them: tuples under names that they share, which become more only for who asks.

An answer of thousands of rows is written by columns (`columns`); a row by itself is a mapping (`table[0]["time"]`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

Row = Mapping[str, Any]


class Table(Sequence[Row]):
    """Rows that have the same columns."""

    __slots__ = ("_rows", "names")

    def __init__(self, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self.names, self._rows = tuple(names), rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (dict(zip(self.names, row, strict=True)) for row in self._rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> "Table": ...
    def __getitem__(self, place: int | slice) -> "Row | Table":
        if isinstance(place, slice):
            return Table(self.names, self._rows[place])
        return dict(zip(self.names, self._rows[place], strict=True))

    def columns(self) -> dict[str, Sequence[Any]]:
        """The values of each column, in the order of the rows."""
        if not self._rows:
            return dict.fromkeys(self.names, ())
        return dict(zip(self.names, zip(*self._rows, strict=True), strict=True))


def columns(rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    """The columns of rows that have the same, those of the first."""
    if isinstance(rows, Table):
        return rows.columns()
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
