#!/usr/bin/env python3
"""Runs the commands of the README, of docs/ and of the help texts, as they are written there.

    commands_test.py UNMAR

Only what makes them long is cut: iterations, steps and numbers of pictures are added at the end,
where the later one counts. Pictures that a command names are made before.
"""

import gzip
import pathlib
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SIDE = 64
OUTPUTS = {"-o", "--output", "--mask-out", "--snapshots", "--history", "--manifest", "--report",
           "--save-prior", "--json", "--run", "--preview", "--plan"}
FIT = ["--iterations", "2"]
SHORTER = {
    "denoise": FIT, "inpaint": FIT, "upscale": FIT, "deblur": FIT, "profile": FIT, "plan": FIT,
    "refine": [*FIT, "--steps", "2"], "compare-priors": FIT,
    "ddpm sample": ["-n", "2", "--steps", "2"],
    "ddpm train": ["--iterations", "2", "--batch", "2", "--channels", "32,32"],
    "gan train": ["--iterations", "2", "--batch", "2", "--channels", "8"],
    "gan sample": ["-n", "2"],
}
# In capitals: what the reader is to fill in.
MEANT = {"IN": "noisy.png", "OUT": "clean.png", "DIR": "kept", "N": "unet", "NAME": "unet",
         "MODEL": "fashion-mnist", "COMMAND": "denoise", "指令": "denoise"}
# What a run that was stopped in the middle would be needed for; tests/cli/resume_test.cpp has it.
LEFT_OUT = ("unmar resume",)


def png(value, channels=1):
    """value(x, y): a sample, or three of them."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + b"".join(bytes(value(x, y)) for x in range(SIDE)) for y in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0 if channels == 1 else 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))  # fmt: skip


def picture(seed):
    """A gray gradient with a little structure."""
    return png(lambda x, y: [
        (3 * x + 2 * y + 29 * seed + (40 if (x // 8 + y // 8) % 2 else 0)) % 256])  # fmt: skip


def in_hole(x, y):
    return 20 <= x < 28 and 30 <= y < 38


def mask():
    return png(lambda x, y: [0 if in_hole(x, y) else 255])


def painted():
    return png(lambda x, y: [255, 0, 0] if in_hole(x, y) else [2 * x, 2 * x, 2 * y], channels=3)


class Folder:
    def __init__(self, unmar, path):
        self.unmar, self.path = unmar, pathlib.Path(path)
        for i in range(6):
            self.write(f"pictures/{i}.png", picture(i))
        head = struct.pack(">IIII", 0x803, 8, 8, 8)
        self.write("train-images-idx3-ubyte.gz", gzip.compress(head + bytes(range(256)) * 2))

    def write(self, name, data):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def run(self, words):
        return subprocess.run([self.unmar, *words], cwd=self.path, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=300)  # fmt: skip

    def provide(self, name):
        """Makes a file that a command reads."""
        file = self.path / name
        if file.exists():
            return
        if file.suffix == ".png":
            whole = mask if "mask" in name or name == "text.png" else lambda: picture(1)
            self.write(name, painted() if "painted" in name else whole())
        elif file.suffix in (".jpg", ".tif", ".fits"):
            self.provide(file.stem + ".png")
            self.run(["degrade", file.stem + ".png", "-o", name, "--noise", "1"])
        elif name == "kept" or name.endswith(".run"):
            self.provide("noisy.png")
            self.run(["denoise", "noisy.png", "-o", "kept.png", "--run", name, *FIT])
        elif name == "my-model" or name == "model":
            self.run(["ddpm", "train", "pictures", "-o", name, "--size", "8", "--iterations", "1",
                      "--batch", "2", "--channels", "32,32"])  # fmt: skip
        elif name == "my-gan":
            self.run(["gan", "train", "pictures", "-o", name, "--size", "8", "--iterations", "1",
                      "--batch", "2", "--channels", "8"])  # fmt: skip
        elif name == "jobs.json":
            self.provide("noisy.png")
            self.run(["plan", name, "noisy.png", "-o", "joined.png", *FIT])
            self.run(["work", name])
        elif name.endswith(".json"):
            shown = self.run(["networks", "show", "unet", "--json"]).stdout
            self.write(name, shown.encode())


def commands_of(text):
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    for line in blocks.splitlines():
        if line.strip().startswith("unmar "):
            yield line.strip()
    yield from re.findall(r"`(unmar [^`]*)`", text)


def examples_of(folder):
    """The examples of all help texts."""
    commands = [[word] for word in re.findall(r"^  (\w+) ", folder.run(["--help"]).stdout, re.M)]
    commands += [["ddpm", "train"], ["ddpm", "sample"], ["gan", "train"], ["gan", "sample"],
                 ["networks", "show"]]
    for command in [[], *commands]:
        for line in folder.run([*command, "--help"]).stdout.splitlines():
            if line.startswith("  unmar "):
                yield re.split(r"   | > | \| ", line.strip())[0]  # without a remark or a redirection


def is_whole(words):
    """Not only named in a sentence."""
    return "-o" in words or words[0].startswith("-") or any(
        word in words for word in ("--help", "info", "show", "compare", "pick", "sheet", "options",
                                   "work", "join", "slurm", "--resume")) and len(words) > 1  # fmt: skip


def main():
    unmar = str(pathlib.Path(sys.argv[1]).resolve())
    sources = [ROOT / "README.md", ROOT / "README.zh-TW.md", *sorted((ROOT / "docs").glob("*.md"))]
    failures = ran = 0
    with tempfile.TemporaryDirectory() as scratch:
        helper = Folder(unmar, pathlib.Path(scratch) / "help")
        commands = [(path.name, c) for path in sources for c in commands_of(path.read_text("utf-8"))]
        commands += [("help", c) for c in examples_of(helper)]
        seen = set()
        for number, (where, command) in enumerate(commands):
            words = [MEANT.get(word, word) for word in shlex.split(command, comments=True)[1:]]
            if command in seen or command.startswith(LEFT_OUT) or not words or not is_whole(words):
                continue
            seen.add(command)
            folder = Folder(unmar, pathlib.Path(scratch) / str(number))
            for before, word in zip([""] + words, words):
                if before not in OUTPUTS and before != "plan":
                    folder.provide(word.partition("=")[0])
            name = " ".join(words[:2]) if words[0] in ("ddpm", "gan") else words[0]
            shorter = [] if "--help" in words else SHORTER.get(name, [])
            if "--resume" in words:
                shorter = ["--iterations", "2"]
            done = folder.run(words + shorter)
            ran += 1
            if done.returncode:
                failures += 1
                print(f"{where}: {command}\n    exit code {done.returncode}: {done.stdout[-400:]}")
    print(f"{ran} commands ran, {failures} failed")
    return 1 if failures or ran < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
