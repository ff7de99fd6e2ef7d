"""The pictures: a PNG that a decoder reads, with what was seen where it was seen."""

import struct
import zlib

import numpy as np

from assets.pictures import WIDTH, Pixels, bars, coverage, markdown_picture, markdown_table, png


def decoded(data: bytes) -> Pixels:
    """The pixels of a PNG as `png` writes them; each chunk's checksum is held."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + body),)
        chunks[name] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, 1 + width * 3)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def test_png_keeps_every_pixel() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 3)).astype(np.uint8)
    assert (decoded(png(pixels)) == pixels).all()


def test_coverage_has_north_up_and_is_brighter_where_more_was_seen() -> None:
    picture = coverage([(50.0, 0.0, 1_000), (46.0, 10.0, 10)])
    assert picture is not None
    bright = decoded(picture).astype(int).sum(axis=2)
    height, width = bright.shape
    assert max(width, height) <= WIDTH + 1
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    assert row < height / 4
    assert column < width / 4
    corner = bright[-height // 4 :, -width // 4 :]
    assert bright[0, -1] < corner.max() < bright.max()


def test_coverage_of_one_cell_and_of_none() -> None:
    assert coverage([(-89.9, 179.9, 1)]) is not None
    assert coverage([]) is None


def test_text() -> None:
    assert bars([0, 1, 2, 7]) == "▁▂▃█"
    assert bars([]) == ""
    assert bars([0, 0]) == "▁▁"
    assert markdown_table(["a", "b"], [[1, None]]) == "| a | b |\n| ---: | ---: |\n| 1 |  |"
    assert markdown_picture(b"\0", "x") == "![x](data:image/png;base64,AA==)"
