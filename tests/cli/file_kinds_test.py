#!/usr/bin/env python3
"""Every kind of file through every task: what was not restored is exactly what it was.

    file_kinds_test.py UNMAR [WORD]      only the kinds whose name holds WORD; prints the table

The table is made here: container and type of samples x channels x alpha x pages x metadata x range.
Values outside of the mask are equal bit for bit, the type of the samples is kept, and so is what the
file tells beside them, but for what has to change. Files are written and read by plain_pictures.py.
"""

import concurrent.futures
import dataclasses
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import plain_pictures as plain
from plain_pictures import ASCII, BYTES, DOUBLE, RATIONAL, SHORT, Picture

WIDTH, HEIGHT = 20, 16
HOLE = {(x, y) for x in range(6, 10) for y in range(7, 12)}
TINY = ["--engine", "ref", "--iterations", "2", "--scales", "1", "--channels", "4", "--skip", "2",
        "--input-channels", "2"]  # fmt: skip
TASKS = {
    "strength 0": ["denoise", "--method", "patches", "--strength", "0"],
    "denoise": ["denoise", "--method", "patches"],
    "inpaint": ["inpaint", "--mask", "mask.png", *TINY],
    "upscale": ["upscale", "--factor", "2", *TINY],
}
FULL = {"u1": 1, "u8": 255, "i8": 127, "u12": 4095, "u16": 65535, "i16": 32767, "u32": 4e9, "i32": 2e9}
SMALL = {"u1": "u8", "u12": "u16", "f16": "f32"}  # what they are written as
OURS = {305: "Software", 273: 0, 278: 0, 279: 0, 259: 0, 317: 0, 258: 0, 339: 0, 256: 0, 257: 0, 284: 0, 262: 0,
        277: 0, 338: 0}  # fmt: skip


@dataclasses.dataclass
class Kind:
    name: str
    suffix: str
    pictures: list  # the pages
    write: object  # of the pictures
    alpha: bool = False
    filled: set = dataclasses.field(default_factory=set)  # places (x, y) that hold nothing
    kept: set = dataclasses.field(default_factory=set)  # places that stay what they were in any case
    extra: tuple = ()
    photometric: int = None


def scene(kind, channels, low=None, high=None, seed=0, alpha=False):
    """Waves with noise between low and high."""
    floats = kind[0] == "f"
    low = (0.02 if floats else 0) if low is None else low
    high = (0.93 if floats else FULL[kind]) if high is None else high
    state, samples = 12345 + seed, []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            for c in range(channels):
                state = (state * 1103515245 + 12345) % (1 << 31)
                share = 0.5 + 0.3 * math.sin(0.4 * x + 0.3 * y + c) + 0.15 * (state / (1 << 30) - 1)
                if alpha and c == channels - 1:
                    share = 0.75 if x < 4 else 1
                value = low + share * (high - low)
                if kind in ("f32", "f16"):
                    code = "f" if kind == "f32" else "e"
                    value = plain.unpacked(plain.packed([value], kind, "<"), kind, "<")[0]
                samples.append(value if floats else round(value))
    return Picture(WIDTH, HEIGHT, channels, kind, samples)


def put(picture, places, value):
    for x, y in places:
        at = (y * picture.width + x) * picture.channels
        picture.samples[at : at + picture.channels] = [value] * picture.channels
    return picture


TOLD_TIFF = {
    282: (RATIONAL, [3543307, 1000]), 283: (RATIONAL, [3543307, 1000]), 296: (SHORT, [3]),
    270: (ASCII, b"plate 7, shelf 3\0"), 306: (ASCII, b"1999:01:02 03:04:05\0"),
    315: (ASCII, b"Ana\0"), 700: (BYTES, b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
    65000: (DOUBLE, [1.5, -2.25]), 65001: (ASCII, b"private\0"),
}  # fmt: skip
TOLD_PNG = [(b"pHYs", (11811).to_bytes(4, "big") * 2 + b"\1"), (b"tEXt", b"Title\0Plate 7"),
            (b"tEXt", b"Comment\0a scan")]  # fmt: skip
TOLD_FITS = [plain.card("OBJECT", "M 31"), plain.card("EXPTIME", 300.5), plain.card("CRPIX1", 10.5),
             plain.card("CDELT1", -0.25), "COMMENT kept".ljust(80), "HISTORY dark subtracted".ljust(80)]  # fmt: skip


def tiff_kind(name, pictures, extra=(), photometric=None, alpha=False, filled=(), kept=(), tags=None, **how):
    told = TOLD_TIFF | (tags or {})
    return Kind(f"tiff {name}", ".tif", pictures,
                lambda p: plain.tiff(p, extra=extra, photometric=photometric, tags=told, **how),
                alpha, set(filled), set(kept), extra, photometric)  # fmt: skip


def fits_kind(name, pictures, cards=(), filled=(), kept=(), empty_first=False):
    def write(pages):
        head = plain.hdu(None, [plain.card("TELESCOP", "T1")]) if empty_first else b""
        return head + b"".join(plain.hdu(p, [*TOLD_FITS, *cards], first=not head and i == 0)
                               for i, p in enumerate(pages))  # fmt: skip

    return Kind(f"fits {name}", ".fits", pictures, write, filled=set(filled), kept=set(kept))


def png_kind(name, picture, alpha=False, **how):
    return Kind(f"png {name}", ".png", [picture], lambda p: plain.png(p[0], TOLD_PNG, **how), alpha)


ALONE = {(3, 4), (12, 13)}
BLOCK = {(x, y) for x in range(13, 18) for y in range(2, 6)}


def kinds():
    """The table."""
    # Depth x colours.
    for kind in ("u8", "i8", "u16", "i16", "u32", "i32", "f16", "f32", "f64"):
        for channels in (1, 3):
            yield tiff_kind(f"{kind} x{channels}", [scene(kind, channels)])
    for kind in ("u1", "u12"):
        yield tiff_kind(f"{kind} x1", [scene(kind, 1)])
    yield tiff_kind("u12 x3", [scene("u12", 3)])
    for kind in ("u8", "i16", "u16", "i32", "u32", "f32", "f64"):
        for channels in (1, 2, 3):
            yield fits_kind(f"{kind} x{channels}", [scene(kind, channels)])
    for kind in ("u8", "u16"):
        for channels in (1, 2, 3, 4):
            alpha = channels in (2, 4)
            yield png_kind(f"{kind} x{channels}", scene(kind, channels, alpha=alpha), alpha)
    yield png_kind("u1 x1", scene("u1", 1))
    # More samples than colours: data, associated and unassociated alpha.
    for kind in ("u8", "u16", "i16", "f32", "f64"):
        for channels in (2, 4, 7):
            yield tiff_kind(f"{kind} x{channels} data", [scene(kind, channels)], (0,) * (channels - 1), 1)
    for kind in ("u8", "u16", "f32"):
        for channels in (2, 4):
            for extra in (1, 2):
                yield tiff_kind(f"{kind} x{channels} alpha {extra}", [scene(kind, channels, alpha=True)], (extra,),
                                alpha=True)  # fmt: skip
    for kind in ("u8", "u16", "f32", "f64"):
        for channels in (2, 4, 7):
            yield tiff_kind(f"{kind} x{channels} data in planes", [scene(kind, channels)], (0,) * (channels - 1), 1,
                            planar=True)  # fmt: skip
        if kind != "f64":  # alpha is kept as a float
            yield tiff_kind(f"{kind} x2 alpha in planes", [scene(kind, 2, alpha=True)], (2,), 1, alpha=True, planar=True)
    yield tiff_kind("u16 x4 RGB and data", [scene("u16", 4)], (0,), 2)
    yield tiff_kind("u8 x5 RGB and data", [scene("u8", 5)], (0, 0), 2)
    # How it is packed.
    rgb = scene("u16", 3)
    for name, how in {"big-endian": {"order": ">"}, "BigTIFF": {"big": True}, "planes": {"planar": True},
                      "deflate": {"deflate": True}, "big-endian BigTIFF": {"order": ">", "big": True}}.items():  # fmt: skip
        yield tiff_kind(f"u16 x3 {name}", [rgb], **how)
    # What libvips does not read by itself.
    for kind in ("u12", "f16", "f64"):
        for name, how in {"planes": {"planar": True}, "tiles": {"tile": (16, 16)},
                          "big-endian planes": {"planar": True, "order": ">"}}.items():  # fmt: skip
            yield tiff_kind(f"{kind} x3 {name}", [scene(kind, 3)], **how)
    for kind in ("f16", "f64"):
        for predictor in (2, 3):
            for order in "<>":
                yield tiff_kind(f"{kind} x3 {order} predictor {predictor}, tiles", [scene(kind, 3)],
                                predictor=predictor, tile=(16, 16), order=order, deflate=True)  # fmt: skip
            yield tiff_kind(f"{kind} x3 predictor {predictor}", [scene(kind, 3)], predictor=predictor, deflate=True)
    yield tiff_kind("i16 x1 inches", [scene("i16", 1)], tags={282: (RATIONAL, [300, 1]), 283: (RATIONAL, [150, 1]),
                                                             296: (SHORT, [2])})  # fmt: skip
    # Pages.
    yield tiff_kind("u16 x1, 3 pages", [scene("u16", 1, seed=i) for i in range(3)])
    yield tiff_kind("f64 x1, 2 pages", [scene("f64", 1, 100, 900, seed=i) for i in range(2)])
    yield tiff_kind("u8, gray and RGB pages", [scene("u8", 1), scene("u8", 3)])
    yield fits_kind("i16, 2 images", [scene("i16", 1, 100, 900, seed=i) for i in range(2)])
    yield fits_kind("f64, behind an empty header", [scene("f64", 1)], empty_first=True)
    # Ranges: a small part of the format, values that are none, values far outside.
    for kind in ("u16", "i16", "i32", "f32", "f64"):
        floats = kind[0] == "f"
        for make, name in ((tiff_kind, "TIFF"), (fits_kind, "FITS")):
            small = lambda: [scene(kind, 1, 600, 1100)]  # noqa: E731
            yield make(f"{kind} dim", small())
            hot = {"u16": 65535, "i16": 32767, "i32": 2**31 - 1}.get(kind, 9e5)
            page = put(put(small()[0], ALONE, hot), BLOCK, hot)
            yield make(f"{kind} hot pixels, saturated core", [page], filled=ALONE, kept=BLOCK)
            if kind != "u16":
                low = -32768 if kind == "i16" else -9999
                yield make(f"{kind} sentinel", [put(small()[0], ALONE, low)], filled=ALONE)
            if floats:
                yield make(f"{kind} NaN", [put(small()[0], ALONE | BLOCK, math.nan)], filled=ALONE | BLOCK)
                yield make(f"{kind} infinity", [put(small()[0], ALONE, -math.inf)], filled=ALONE)
    for kind, blank in (("u8", 7), ("i16", -32768), ("i32", -(2**31))):
        page = put(scene(kind, 1, 60, 200), ALONE | BLOCK, blank)
        yield fits_kind(f"{kind} BLANK", [page], [plain.card("BLANK", blank)], filled=ALONE | BLOCK)
    page = put(scene("f32", 1, 600, 1100), BLOCK, -9999.0)
    yield tiff_kind("f32 nodata", [page], tags={42113: (ASCII, b"-9999\0")}, filled=BLOCK)


class Different(Exception):
    pass


def require(holds, text):
    if not holds:
        raise Different(text)


def same(a, b):
    return a == b or (a != a and b != b)


def check_values(kind, before, after, task):
    factor = 2 if task == "upscale" else 1
    size = (before.width * factor, before.height * factor)
    require((after.width, after.height) == size, f"{after.width}x{after.height} px, not {size}")
    require(after.channels == before.channels, f"{after.channels} channels, not {before.channels}")
    expected = SMALL.get(before.type, before.type)
    require(after.type == expected, f"samples of {after.type}, not {expected}")
    if factor > 1:
        return
    times = 255 if before.type == "u1" else 1
    known = [v for p in range(WIDTH * HEIGHT) if (p % WIDTH, p // WIDTH) not in kind.filled | kind.kept
             for v in before.samples[p * before.channels : (p + 1) * before.channels]]  # fmt: skip
    low, high = times * min(known), times * max(known)
    if task == "denoise":
        require(after.samples != [times * v for v in before.samples], "nothing was restored")
    for y in range(HEIGHT):
        for x in range(WIDTH):
            old, new = [times * v for v in before.pixel(x, y)], after.pixel(x, y)
            hole = task == "inpaint" and (x, y) in HOLE
            at = f"at {x},{y}: {new}, was {old}"
            if kind.alpha:
                opaque = 1 if before.type[0] == "f" else FULL[before.type]
                require(new[-1] == (opaque if hole else old[-1]), f"alpha {at}")
                old, new = old[:-1], new[:-1]
            free = hole or (x, y) in kind.filled
            if (task == "denoise" and (x, y) not in kind.kept) or free:
                room = 0.6 * (high - low)
                require(all(low - room <= v <= high + room for v in new), f"no such value was there {at}")
            else:
                require(all(map(same, old, new)), f"not the same {at}")


def check_told(kind, before, after, task):
    factor = 2 if task == "upscale" else 1
    if kind.suffix == ".tif":
        for tag in before.told.keys() - OURS.keys():
            old, new = before.told[tag], after.told.get(tag)
            if tag in (282, 283):
                require(new and abs(new[0] / new[1] - factor * old[0] / old[1]) < 1e-3, f"resolution {new}")
            else:
                require(new == old, f"tag {tag} is {new}, was {old}")
        require(after.told.get(338, ()) == before.told.get(338, ()), f"ExtraSamples {after.told.get(338)}")
        require(after.told[262] == before.told[262], f"photometric {after.told[262]}, was {before.told[262]}")
        require(b"Unmar" in after.told[305], "no line of provenance")
    elif kind.suffix == ".png":
        physical = after.told[b"pHYs"]
        require(abs(int.from_bytes(physical[:4], "big") - factor * 11811) <= 1, f"pHYs {physical}")
        for text in (b"Title\0Plate 7", b"Comment\0a scan", b"Software\0Unmar"):
            require(text in after.told[b"tEXt"], f"text {text} is gone")
    else:
        for card in before.cards:
            if card.startswith(("SIMPLE", "XTENSION", "NAXIS", "END", "BLANK", "EXTEND", "PCOUNT", "GCOUNT", "BITPIX",
                                "BZERO", "BSCALE")):
                continue
            if factor > 1 and card.startswith(("CRPIX1", "CDELT1")):
                continue
            require(card in after.cards, f"card '{card.strip()}' is gone")
        if factor > 1:
            told = [plain.value_of(after.cards, key, None) for key in ("CDELT1", "CRPIX1")]
            require(told == [-0.125, 20.5], f"pixel size and centre {told}")
        require(any(c.startswith("HISTORY Unmar") for c in after.cards), "no line of provenance")


def read(path):
    data = path.read_bytes()
    if path.suffix == ".png":
        return [plain.read_png(data)]
    return plain.read_tiff(data) if path.suffix == ".tif" else plain.read_fits(data)


def run(unmar, folder, number, kind, task):
    source, out = folder / f"{number}{kind.suffix}", folder / f"{number}-{task.replace(' ', '')}{kind.suffix}"
    pages = ["--page", "all"] if len(kind.pictures) > 1 else []
    done = subprocess.run([unmar, *TASKS[task], source.name, "-o", out.name, "--threads", "1", *pages],
                          cwd=folder, capture_output=True, text=True, timeout=120)  # fmt: skip
    try:
        require(done.returncode == 0, f"exit code {done.returncode}: {done.stderr.strip()[-300:]}")
        afters = read(out)
        require(len(kind.pictures) == len(afters), f"{len(afters)} pages of {len(kind.pictures)}")
        for before, after in zip(kind.pictures, afters):
            check_values(kind, before, after, task)
            check_told(kind, before, after, task)
    except (Different, AssertionError, KeyError) as error:
        return f"{kind.name}, {task}: {type(error).__name__} {error}"
    return None


def main():
    unmar, word = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    table = [kind for kind in kinds() if word in kind.name]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        mask = Picture(WIDTH, HEIGHT, 1, "u8",
                       [0 if (p % WIDTH, p // WIDTH) in HOLE else 255 for p in range(WIDTH * HEIGHT)])  # fmt: skip
        (folder / "mask.png").write_bytes(plain.png(mask))
        for number, kind in enumerate(table):
            (folder / f"{number}{kind.suffix}").write_bytes(kind.write(kind.pictures))
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            cells = [(n, kind, task) for n, kind in enumerate(table) for task in TASKS]
            found = list(pool.map(lambda cell: run(unmar, folder, *cell), cells))
    faults = [text for text in found if text]
    if word:
        for n, kind in enumerate(table):
            row = found[n * len(TASKS) : (n + 1) * len(TASKS)]
            print(f"{kind.name:<44}" + "  ".join("FAULT" if text else "  ok " for text in row))
    print("\n".join(faults))
    print(f"{len(table)} kinds of files x {len(TASKS)} tasks: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
