"""Small pictures for the pages of Dagster: a map of where aircraft were seen, and bars. PNG and text, no library.

A drawing library would be the heaviest thing that the platform brings, for two pictures of a few hundred points.
"""

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

WIDTH: Final = 480  # pixels
_TALLEST: Final = 480
_MARGIN_DEG: Final = 0.3
_BARS: Final = "▁▂▃▄▅▆▇█"
# From the ground up to the busiest cell: dark blue, teal, yellow (a part of viridis, which the colour-blind read too).
_COLOURS: Final = np.array([[24, 28, 52], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], dtype="f8")

Pixels = npt.NDArray[np.uint8]


def png(pixels: Pixels) -> bytes:
    """An RGB picture (height, width, 3) as a PNG file."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), dtype=np.uint8), pixels.reshape(height, width * 3)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def coverage(cells: Iterable[tuple[float, float, int]]) -> bytes | None:
    """A map of cells (latitude, longitude, reports), north up, brighter where more was seen; None where there are none.

    Plate carrée about the middle latitude: true enough at the size of a stamp, and the poles fit on it.
    """
    seen = np.array(list(cells), dtype="f8")
    if not len(seen):
        return None
    latitude, longitude, reports = seen.T
    south, north = latitude.min() - _MARGIN_DEG, latitude.max() + _MARGIN_DEG
    west, east = longitude.min() - _MARGIN_DEG, longitude.max() + _MARGIN_DEG
    shrink = math.cos(math.radians((south + north) / 2))
    scale = min(WIDTH / max((east - west) * shrink, 0.01), _TALLEST / (north - south))  # pixels a degree
    size = (math.ceil((north - south) * scale), math.ceil((east - west) * shrink * scale))
    brightness = np.zeros(size)
    reach = max(1, math.ceil(0.08 * scale))  # a cell of resolution 5 is 0.16 degrees across
    share = np.log1p(reports) / np.log1p(reports.max())
    for row, column, bright in zip((north - latitude) * scale, (longitude - west) * shrink * scale, share, strict=True):
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        spot = brightness[top : int(row) + reach, left : int(column) + reach]
        np.maximum(spot, bright, out=spot)
    return png(_coloured(brightness))


def _coloured(brightness: npt.NDArray[Any]) -> Pixels:
    places = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(brightness, places, band) for band in _COLOURS.T], axis=-1).astype(np.uint8)


def markdown_picture(picture: bytes, about: str) -> str:
    """A picture within Markdown itself, so that no file need be served."""
    return f"![{about}](data:image/png;base64,{base64.b64encode(picture).decode()})"


def bars(values: Sequence[int]) -> str:
    """Values as a row of bars, the highest full: `▁▃█`."""
    highest = max(values, default=0) or 1
    return "".join(_BARS[round(value / highest * (len(_BARS) - 1))] for value in values)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as Markdown."""
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join("| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |" for line in lines)
