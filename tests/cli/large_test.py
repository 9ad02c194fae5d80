"""A picture of 60 megapixels goes through in 2 GiB of address space.

    large_test.py UNMAR FOLDER [MEGAPIXELS]

Its two holes, one of NaN and one of a mask, are small, so that the time goes into reading, tiles and writing. What is outside of
them must come back to the bit."""

import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys

WIDTH, LIMIT = 10_000, 2 << 30
STRIP = 100  # rows
HOLE = (4321, 777, 12)     # row, column, side of NaN
MASKED = (2222, 5000, 12)  # of what a mask discards


def row_of(y):
    """Floats without a pattern that a tile could share with another."""
    first = (y * 7919) % 4096
    return TABLE[4 * first:4 * (first + WIDTH)]


TABLE = struct.pack(f"<{WIDTH + 4096}f", *(0.2 + (i * 2654435761 % 1009) / 2000 for i in range(WIDTH + 4096)))


def with_square(row, y, square, value):
    """Samples as long as `value` in the square become that."""
    top, left, side = square
    if not top <= y < top + side:
        return row
    size = len(value)
    return row[:size * left] + value * side + row[size * (left + side):]


def given_row(y):
    return with_square(row_of(y), y, HOLE, struct.pack("<f", float("nan")))


def mask_row(y):
    return with_square(b"\xff" * WIDTH, y, MASKED, b"\0")


def is_filled(y, x):
    return any(top <= y < top + side and left <= x < left + side for top, left, side in (HOLE, MASKED))


def write_tiff(path, height, bits, number, row):
    size = bits // 8 * WIDTH
    strips = -(-height // STRIP)
    with open(path, "wb") as file:
        file.write(b"II*\0" + bytes(4))
        for y in range(height):
            file.write(row(y))
        offsets, sizes = file.tell(), file.tell() + 4 * strips
        file.write(struct.pack(f"<{strips}I", *(8 + i * STRIP * size for i in range(strips))))
        file.write(struct.pack(f"<{strips}I", *(min(STRIP, height - i * STRIP) * size for i in range(strips))))
        directory = file.tell()
        tags = [(256, 4, 1, WIDTH), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1),
                (273, 4, strips, offsets), (277, 3, 1, 1), (278, 4, 1, STRIP), (279, 4, strips, sizes),
                (339, 3, 1, number)]
        file.write(struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4))
        file.seek(4)
        file.write(struct.pack("<I", directory))


def rows_of(path):
    """Of an uncompressed TIFF of floats, classic or big."""
    with open(path, "rb") as file:
        big = struct.unpack("<4sI", file.read(8))[0][2] == 43
        form, entry = ("<HHQQ", 20) if big else ("<HHII", 12)
        file.seek(8 if big else 4)
        directory, = struct.unpack("<Q" if big else "<I", file.read(8 if big else 4))
        file.seek(directory)
        count, = struct.unpack("<Q" if big else "<H", file.read(8 if big else 2))
        fields = {}
        for _ in range(count):
            tag, kind, number, value = struct.unpack(form, file.read(entry))
            fields[tag] = (kind, number, value)
        kind, number, at = fields[273]
        letter = {3: "H", 4: "I", 16: "Q"}[kind]
        file.seek(at)
        offsets = struct.unpack(f"<{number}{letter}", file.read(struct.calcsize(letter) * number))
        rows = fields[278][2] & 0xFFFFFFFF if fields[278][0] == 4 else fields[278][2] & 0xFFFF
        left = fields[257][2] & (0xFFFFFFFF if fields[257][0] == 4 else 0xFFFF)
        for offset in offsets:
            file.seek(offset)
            for _ in range(min(rows, left)):
                yield file.read(4 * WIDTH)
            left -= rows


def main(unmar, folder, megapixels=60):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    given, mask, result, run = (folder / name for name in ("large.tif", "mask.tif", "result.tif", "run"))
    shutil.rmtree(run, ignore_errors=True)
    height = int(float(megapixels) * 1e6 / WIDTH)
    try:
        write_tiff(given, height, 32, 3, given_row)
        write_tiff(mask, height, 8, 1, mask_row)
        done = subprocess.run(
            [unmar, "inpaint", given, "--mask", mask, "-o", result, "--iterations", "3", "--stop", "none",
             "--threads", "2", "--quiet", "--run", run],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)), text=True, stderr=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f"exit code {done.returncode}: {done.stderr}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        rows = wrong = filled = 0
        for y, row in enumerate(rows_of(result)):
            rows, wanted = rows + 1, row_of(y)
            if row == wanted:
                continue
            for x in range(WIDTH):
                one = row[4 * x:4 * x + 4]
                if is_filled(y, x):
                    filled += 0 < struct.unpack("<f", one)[0] < 1 and one != wanted[4 * x:4 * x + 4]
                else:
                    wrong += one != wanted[4 * x:4 * x + 4]
        print(f"{height * WIDTH / 1e6:.0f} megapixels, {peak:.0f} MiB")
        to_fill = HOLE[2] ** 2 + MASKED[2] ** 2
        if rows != height or wrong or filled < 0.9 * to_fill:
            sys.exit(f"{rows} of {height} rows, {wrong} values changed, {filled} of {to_fill} filled")
    finally:
        for path in (given, mask, result):
            if path.exists():
                os.remove(path)
        shutil.rmtree(run, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
