#!/usr/bin/env python3
"""A measuring peer: denoises a gray picture by BM3D, one in colour by CBM3D, in two stages.

    scripts/peers/bm3d.py NOISY.png -o OUT.png --sigma 25 [--reference CLEAN.png]

Written from the papers (Dabov, Foi, Katkovnik, Egiazarian: IEEE TIP 2007 and ICIP 2007). It needs numpy only.

Stage 1 looks for patches like each reference patch, stacks them to a group, transforms the group in three dimensions
and drops the small coefficients. Stage 2 looks for like patches in the result of stage 1 and shrinks the coefficients
of the noisy group as Wiener's filter would, had the result of stage 1 been the clean picture. Each stage averages all
the estimates of a pixel, those of sparse or quiet groups with more weight. In colour both stages find their groups by
luminance and filter luminance and two colour differences alike, each with its own noise.

PNG files are gray or RGB, of 8 or 16 bits; sigma counts in steps of 1/255. The result has the bits of the input and
is rounded and clipped; the PSNR is that of the rounded result, over all colours and pixels. Seconds are those of the
processor, of all threads together; reading and writing are not in them. OMP_NUM_THREADS=1 keeps it to one core.
"""

import argparse
import dataclasses
import math
import struct
import sys
import time
import zlib

import numpy as np

BAND = 16  # rows of reference patches done at once: bounds the memory
SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Rows: luminance, red against blue, green against both. Sums of squares of the rows tell the noise of each.
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 0, -1 / 2], [1 / 4, -1 / 2, 1 / 4]])


# --- PNG ---------------------------------------------------------------------------------------------------------


def unfilter(kind, line, above, step):
    """One line of bytes with PNG's prediction undone; step is the number of bytes of a pixel."""
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line.reshape(-1, step), axis=0, dtype=np.uint8).reshape(-1)
    if kind == 2:
        return line + above
    if kind not in (3, 4):
        raise ValueError(f"unknown filter {kind}")
    out = [0] * step + line.tolist()
    up = [0] * step + above.tolist()
    for i in range(step, len(out)):
        a, b, c = out[i - step], up[i], up[i - step]
        if kind == 3:
            guess = (a + b) // 2
        else:
            to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            guess = a if to_a <= to_b and to_a <= to_c else b if to_b <= to_c else c
        out[i] = (out[i] + guess) & 255
    return np.array(out[step:], np.uint8)


def read_png(path):
    """Returns the picture as (channels, height, width) from 0 to 255, and its bits per value."""
    with open(path, "rb") as file:
        data = file.read()
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG file")
    at, header, packed = len(SIGNATURE), None, b""
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        at += size + 12
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
    if header is None:
        raise ValueError("no header")
    width, height, bits, colour, _, _, interlaced = header
    if bits not in (8, 16) or colour not in (0, 2) or interlaced:
        raise ValueError("only gray and RGB of 8 or 16 bits, not interlaced")
    channels = 1 if colour == 0 else 3
    step = channels * bits // 8
    raw = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * step)
    rows = np.empty((height, width * step), np.uint8)
    above = np.zeros(width * step, np.uint8)
    for y in range(height):
        above = rows[y] = unfilter(raw[y, 0], raw[y, 1:], above, step)
    values = rows.view(">u2" if bits == 16 else np.uint8).reshape(height, width, channels)
    return np.moveaxis(values.astype(np.float64) * 255 / (2**bits - 1), 2, 0), bits


def write_png(path, values, bits):
    """values: (channels, height, width), whole numbers below 2^bits."""
    channels, height, width = values.shape
    rows = np.moveaxis(values, 0, 2).astype(">u2" if bits == 16 else np.uint8).tobytes()
    size = len(rows) // height
    lines = b"".join(b"\0" + rows[y * size : (y + 1) * size] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, bits, 0 if channels == 1 else 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(SIGNATURE)
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


# --- Transforms: each row of a matrix is one basis function ------------------------------------------------------


def dct(n):
    k, x = np.arange(n)[:, None], np.arange(n)[None, :]
    matrix = np.cos(np.pi * (2 * x + 1) * k / (2 * n)) * math.sqrt(2 / n)
    matrix[0] /= math.sqrt(2)
    return matrix


def wavelet(n, low, high):
    """The matrix of a full decomposition of n values, a power of two, that go round at the border."""
    matrix = np.eye(n)
    size = n
    while size > 1:
        level = np.zeros((size, size))
        for half, taps in enumerate((low, high)):
            for i in range(size // 2):
                for j, tap in enumerate(taps):
                    level[half * size // 2 + i, (2 * i + j + 1 - len(taps) // 2) % size] += tap
        matrix[:size] = level @ matrix[:size]
        size //= 2
    return matrix


def haar(n):
    return wavelet(n, np.array([1, 1]) / math.sqrt(2), np.array([1, -1]) / math.sqrt(2))


def bior15(n):
    """The biorthogonal spline wavelet 1.5. Rows have length 1, so that the noise is the same in all coefficients."""
    low = np.array([3, -3, -22, 22, 128, 128, 22, -22, -3, 3]) * math.sqrt(2) / 256
    matrix = wavelet(n, low, np.array([1, -1]) / math.sqrt(2))
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


# --- The two stages ----------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Stage:
    transform: object  # of a patch, in each of its two directions
    patch: int = 8
    group: int = 16  # patches at most; a group's size is a power of two
    step: int = 3  # from one reference patch to the next
    window: int = 39  # side of the square of candidates about the reference patch
    limit: float = 0  # a match's mean squared difference is at most this
    threshold: float = 0  # in sigmas; stage 1 only
    beta: float = 2  # of Kaiser's window


def stages(sigma):
    """The constants of the authors' "normal profile", and theirs for strong noise. Sigma is that of the luminance.

    In colour it is 0.58 times that of the picture, so strong noise starts at 69 there. Tried at 50 on centres of 256
    pixels: the first constants gave 0.1 to 0.2 dB more in colour (F16, House, Peppers, kodim03), the second gave
    0.5 and 1.6 dB more in gray (house, barbara).
    """
    if sigma <= 40:
        return Stage(bior15, limit=3000, threshold=2.7), Stage(dct, group=32, limit=400)
    return (
        Stage(bior15, group=32, step=4, limit=25000, threshold=2.8),
        Stage(dct, patch=11, group=32, step=6, limit=3500),
    )


def reference_places(count, step):
    """Every step-th of count places, and the last one, so that patches cover the picture."""
    return np.append(np.arange(0, count - 1, step), count - 1)


def match(guide, ys, xs, stage):
    """The patches of guide like those at (ys, xs), best first.

    Returns their (y, x) in one number, y * columns + x, as (references, group), and how many of them are good.
    """
    size, reach = stage.patch, stage.window // 2
    height, width = guide.shape
    columns = width - size + 1
    top, bottom = ys[0], ys[-1] + size
    block = guide[top:bottom]
    around = np.pad(guide, reach, constant_values=np.inf)  # no candidate reaches over the border
    side = 2 * reach + 1
    distance = np.empty((side * side, len(ys), len(xs)), np.float32)
    rows = ys - top
    for dy in range(side):
        for dx in range(side):
            square = block - around[top + dy : bottom + dy, dx : dx + width]
            square *= square
            # Sums over a patch: down its rows, then across.
            down = square[rows]
            for i in range(1, size):
                down += square[rows + i]
            across = down[:, xs]
            for i in range(1, size):
                across += down[:, xs + i]
            distance[dy * side + dx] = across
    distance = distance.reshape(side * side, -1).T.copy()
    distance[:, side * side // 2] = -1  # a patch is its own best match
    keep = min(stage.group, side * side)
    best = np.argpartition(distance, keep - 1, axis=1)[:, :keep]
    found = np.take_along_axis(distance, best, axis=1)
    order = np.argsort(found, axis=1, kind="stable")
    best, found = (np.take_along_axis(a, order, axis=1) for a in (best, found))
    good = np.sum(found <= stage.limit * size * size, axis=1)
    y = np.repeat(ys, len(xs))[:, None] + best // side - reach
    x = np.tile(xs, len(ys))[:, None] + best % side - reach
    return y * columns + x, good


def coefficients(planes, stage):
    """All patches of the planes, transformed: (channels, places, patch * patch)."""
    size = stage.patch
    patches = np.lib.stride_tricks.sliding_window_view(planes, (size, size), axis=(1, 2))
    matrix = stage.transform(size)
    both = np.kron(matrix, matrix).T.astype(np.float32)
    return patches.reshape(len(planes), -1, size * size) @ both


def filter_band(noisy, basic, sigmas, ys, xs, stage):
    """Sums of weighted estimates, and of weights, that the reference patches at (ys, xs) give. Basic: stage 2."""
    size = stage.patch
    channels, height, width = noisy.shape
    columns = width - size + 1
    places, good = match((noisy if basic is None else basic)[0], ys, xs, stage)
    of_noisy = coefficients(noisy, stage)
    of_basic = None if basic is None else coefficients(basic, stage)
    inverse = np.linalg.inv(stage.transform(size))
    inverse = np.kron(inverse, inverse).T
    kaiser = np.kaiser(size, stage.beta)
    kaiser = np.outer(kaiser, kaiser).ravel()
    inverse = (inverse * kaiser).astype(np.float32)
    offsets = (np.arange(size)[:, None] * width + np.arange(size)).ravel()
    total = np.zeros((channels, height * width))
    weights = np.zeros((channels, height * width))
    powers = 2 ** np.floor(np.log2(good)).astype(int)
    for count in np.unique(powers):
        chosen = places[powers == count, :count]
        along = haar(count).astype(np.float32)
        corner = chosen // columns * width + chosen % columns
        pixels = (corner[:, :, None] + offsets).ravel()
        for c, sigma in enumerate(sigmas):
            spectrum = along @ of_noisy[c][chosen]
            if basic is None:
                kept = np.abs(spectrum) > stage.threshold * sigma
                spectrum *= kept
                energy = np.maximum(np.sum(kept, axis=(1, 2)), 1)
            else:
                power = (along @ of_basic[c][chosen]) ** 2
                gain = power / (power + np.float32(sigma * sigma))
                spectrum *= gain
                energy = np.maximum(np.sum(gain * gain, axis=(1, 2)), 1e-6)
            weight = (1 / (sigma * sigma * energy)).astype(np.float32)[:, None, None]
            estimate = (along.T @ spectrum) * weight @ inverse
            total[c] += np.bincount(pixels, estimate.ravel(), height * width)
            spread = np.broadcast_to(weight * kaiser, estimate.shape)
            weights[c] += np.bincount(pixels, spread.ravel(), height * width)
    return total.reshape(noisy.shape), weights.reshape(noisy.shape)


def run_stage(noisy, basic, sigmas, stage):
    """Filters planes, the first of which is the guide, in bands of rows."""
    size, reach = stage.patch, stage.window // 2
    _, height, width = noisy.shape
    total, weights = np.zeros(noisy.shape), np.zeros(noisy.shape)
    all_ys = reference_places(height - size + 1, stage.step)
    xs = reference_places(width - size + 1, stage.step)
    for first in range(0, len(all_ys), BAND):
        ys = all_ys[first : first + BAND]
        top, bottom = max(0, ys[0] - reach), min(height, ys[-1] + reach + size)
        band = slice(top, bottom)
        part = None if basic is None else basic[:, band]
        one, two = filter_band(noisy[:, band], part, sigmas, ys - top, xs, stage)
        total[:, band] += one
        weights[:, band] += two
    return (total / weights).astype(np.float32)


def denoise(picture, sigma):
    """picture: (1 or 3, height, width), from 0 to 255."""
    mix = OPPONENT if len(picture) == 3 else np.eye(1)
    sigmas = sigma * np.linalg.norm(mix, axis=1)
    noisy = np.tensordot(mix, picture, 1).astype(np.float32)
    first, second = stages(sigmas[0])
    smallest = max(first.patch, second.patch)
    if min(picture.shape[1:]) < smallest:
        raise ValueError(f"smaller than a patch of {smallest} x {smallest} pixels")
    basic = run_stage(noisy, None, sigmas, first)
    final = run_stage(noisy, basic, sigmas, second)
    return np.tensordot(np.linalg.inv(mix), final, 1)


def psnr(a, b):
    error = np.mean((a - b) ** 2)
    return 10 * math.log10(255**2 / error) if error > 0 else math.inf


def main():
    parser = argparse.ArgumentParser(description="Denoises a PNG file by BM3D (gray) or CBM3D (RGB).")
    parser.add_argument("noisy")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--sigma", type=float, required=True, help="of the noise, of 255")
    parser.add_argument("--reference", help="the clean picture, to tell the PSNR")
    arguments = parser.parse_args()
    if not arguments.sigma > 0:
        parser.error("--sigma: above 0")

    def read(path):
        try:
            return read_png(path)
        except (OSError, ValueError, zlib.error) as error:
            sys.exit(f"{path}: {error}")

    noisy, bits = read(arguments.noisy)
    clean = read(arguments.reference)[0] if arguments.reference else None
    if clean is not None and clean.shape != noisy.shape:
        sys.exit(f"{arguments.reference}: not of the size and colours of {arguments.noisy}")

    start = time.process_time()
    try:
        restored = denoise(noisy, arguments.sigma)
    except ValueError as error:
        sys.exit(f"{arguments.noisy}: {error}")
    seconds = time.process_time() - start

    most = 2**bits - 1
    values = np.clip(np.rint(restored * most / 255), 0, most)
    write_png(arguments.output, values, bits)
    line = f"{seconds:.1f} s"
    if clean is not None:
        line = f"{psnr(noisy, clean):.2f} -> {psnr(values * 255 / most, clean):.2f} dB, {line}"
    print(line)


if __name__ == "__main__":
    main()
