"""Draws the page's icons as PNG, for devices that take no SVG: the house of icon.svg on a full square."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "src" / "freehold" / "console" / "static"
SIZES = (192, 512)
GROUND, HOUSE = (0x1F, 0x6F, 0x54), (0xFF, 0xFF, 0xFF)
# The path of icon.svg in its square of 32: all within the middle 80 %, which every mask leaves whole.
CORNERS = [(8, 25), (8, 14), (16, 7), (24, 14), (24, 25), (19, 25), (19, 18), (13, 18), (13, 25)]
LINES = 8  # sampled in each row of pixels


def spans(y: float) -> list[tuple[float, float]]:
    """Return where the house covers the line at height `y`, in units of the square."""
    crossings = []
    for (x1, y1), (x2, y2) in zip(CORNERS, [*CORNERS[1:], CORNERS[0]], strict=True):
        if (y1 <= y) != (y2 <= y):
            crossings.append(x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    crossings.sort()
    return list(zip(crossings[::2], crossings[1::2], strict=True))


def picture(size: int) -> bytes:
    """Return a PNG of `size` pixels square."""
    rows = bytearray()
    for row in range(size):
        cover = [0.0] * size
        for line in range(LINES):
            for left, right in spans((row + (line + 0.5) / LINES) * 32 / size):
                a, b = left * size / 32, right * size / 32
                for pixel in range(int(a), min(size, int(b) + 1)):
                    cover[pixel] += max(0.0, min(b, pixel + 1) - max(a, pixel)) / LINES
        rows.append(0)
        for part in cover:
            rows += bytes(round(g + (h - g) * part) for g, h in zip(GROUND, HOUSE, strict=True))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


if __name__ == "__main__":
    for each in SIZES:
        (STATIC / f"icon-{each}.png").write_bytes(picture(each))
