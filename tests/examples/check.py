#!/usr/bin/env python3
"""Runs one example and checks what it says.

check.py NAME PROGRAM
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib


def run(*arguments):
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    print(done.stdout + done.stderr, end="")
    return done


def output(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, f"ended with {done.returncode}"
    assert done.stderr == "", "wrote to stderr"
    return done.stdout


def assert_fails(*arguments):
    done = run(*arguments)
    assert done.returncode == 1, f"ended with {done.returncode}, not 1"
    assert done.stdout == "", "wrote to stdout"
    assert re.fullmatch(r"error: .+\n", done.stderr), "not one line `error: ...`"


def assert_gain(text, db):
    match = re.search(r"PSNR ([\d.]+) dB.* -> ([\d.]+) dB", text)
    assert match, "says no PSNR before and after"
    before, after = map(float, match.groups())
    assert after >= before + db, f"gained {after - before:.1f} dB, not {db}"


def write_png(path, size):
    rows = b"".join(
        b"\0" + bytes((x * y * 37 + x) % 256 for x in range(size)) for y in range(size)
    )
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            crc = struct.pack(">I", zlib.crc32(kind + data))
            file.write(struct.pack(">I", len(data)) + kind + data + crc)


def restore():
    with tempfile.TemporaryDirectory() as folder:
        noisy, clean = pathlib.Path(folder, "noisy.png"), pathlib.Path(folder, "clean.png")
        write_png(noisy, 24)
        text = output(noisy, clean, 10)
        assert re.search(r"clean\.png: iteration \d+ of 10\n$", text)
        header = clean.read_bytes()[:24]
        assert header[:8] == noisy.read_bytes()[:8], "the result is no PNG"
        assert struct.unpack(">II", header[16:]) == (24, 24), "the result has another size"
        assert_fails(noisy, clean, 0)
        assert_fails(pathlib.Path(folder, "missing.png"), clean)


def own_network():
    text = output(300)
    assert re.match(r"\d+ parameters, 300 iterations: ", text)
    assert_gain(text, 5)
    assert_fails(0)


def own_operator():
    text = output(150)
    assert text.startswith("vignette and 2x2 binning: ")
    assert_gain(text, 5)
    assert_fails(0)


def own_stopper():
    text = output()
    assert re.match(r"ended by the stopper after \d+ iterations", text)
    assert_gain(text, 5)
    assert output(5).startswith("ended by the iterations after 5 iterations")
    assert_fails(0)


def deep_image_prior():
    text = output(200)
    assert "noise [1,32,64,48] -> image [1,3,64,48]" in text
    assert_gain(text, 5)
    assert_fails(0)


def patches():
    text = output()
    assert re.match(r"white noise, sigma 2[3-7]\.\d: ", text)
    assert_gain(text, 10)
    with tempfile.TemporaryDirectory() as folder:
        picture = pathlib.Path(folder, "picture.png")
        write_png(picture, 24)
        assert_fails(picture, pathlib.Path(folder, "missing.png"))


def runs():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        noisy = folder / "noisy.png"
        write_png(noisy, 24)
        text = output(folder, noisy, 8)
        for number in (1, 2):
            assert f"run {number} is done: " in text
            assert (folder / f"result_{number}.png").exists()
            assert (folder / f"run_{number}" / "report.json").exists()
        assert re.search(r"\d+ iterations are kept", text)
        assert (folder / "early.png").read_bytes() != (folder / "result_1.png").read_bytes()
        assert_fails(folder, noisy, 8)  # the folders hold runs already
        assert_fails()


PROGRAM = sys.argv[2]
EXAMPLES = (restore, own_network, own_operator, own_stopper, deep_image_prior, patches, runs)
{f.__name__: f for f in EXAMPLES}[sys.argv[1]]()
