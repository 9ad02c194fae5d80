"""Small gray pictures for the scripts that measure learned priors."""

import gzip
import random
import struct
import sys
import zlib

SIDE = 28


def write_png(path, rows):
    """Gray, 8 bit."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def from_idx(path, count):
    """The first pictures of a set in MNIST's format, as rows of bytes."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        magic, stored, height, width = struct.unpack(">IIII", file.read(16))
        if (magic, height, width) != (0x803, SIDE, SIDE):
            sys.exit(f"{path}: not a set of {SIDE}x{SIDE} pictures")
        if stored < count:
            sys.exit(f"{path}: has {stored} pictures, not {count}")
        for _ in range(count):
            values = file.read(SIDE * SIDE)
            yield [values[y * SIDE : (y + 1) * SIDE] for y in range(SIDE)]


def from_photographs(folder, count, reduction):
    """Gray crops from the PNG files of a folder in turn, at random places that are always the same.

    reduction: each pixel is the mean of so many by so many.
    """
    from PIL import Image

    photographs = [Image.open(path).convert("L") for path in sorted(folder.glob("*.png"))]
    side = SIDE * reduction
    if not photographs or min(min(photograph.size) for photograph in photographs) < side:
        sys.exit(f"{folder}: no PNG files, or not all of {side}x{side} pixels")
    for i in range(count):
        photograph = photographs[i % len(photographs)]
        place = random.Random(i)
        left, top = (place.randrange(size - side + 1) for size in photograph.size)
        crop = photograph.crop((left, top, left + side, top + side)).reduce(reduction)
        values = crop.tobytes()
        yield [values[y * SIDE : (y + 1) * SIDE] for y in range(SIDE)]
