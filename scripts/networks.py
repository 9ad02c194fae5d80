#!/usr/bin/env python3
"""Makes the tables and the picture strip of docs/networks.md.

    sudo apt-get install python3-pil
    ./run build && scripts/networks.py DATA [--out DIR] [--only denoise,inpaint,upscale,choices]

DATA holds denoise/F16.png, inpaint/kate.png, inpaint/kate_mask.png and upscale/butterfly.png (512,
512 and 256 pixels a side; the usual research pictures, not part of the project). All fits are of
256x256 pixels with --stop none, noise seed 1 and fit seed 0. Denoising tells the best running
average of the history and its iteration, the others the result. Finished fits are not run again:
delete the folder to start afresh. A quiet machine is needed for the seconds only.
"""

import argparse
import csv
import json
import pathlib
import subprocess

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNMAR = ROOT / "build/release/apps/cli/unmar"

NETWORKS = ["skip", "unet", "resnet", "decoder", "convdecoder", "plain"]
# Iterations after which the running average of this network no longer rises.
ITERATIONS = {"resnet": 350, "plain": 350, "decoder": 1500, "convdecoder": 700, "unet": 400}
DEFAULT_ITERATIONS = 500
TIMED_ITERATIONS = 12

# The networks are compared with the jitter of `quick` as it was then, and skip with its up-sampling.
JITTER = {"denoise": 0.015, "inpaint": 0.01, "upscale": 0.015}


def then(task, name):
    options = ["--average-decay", 0.98]
    if name.split("_")[0] in ("skip", "unet"):
        options += ["--reg-noise-std", JITTER[task]]
    if name.startswith("skip") and not name.startswith("skip_upsample"):
        options += ["--upsample", "bilinear"]
    return options


CHOICES = {
    "skip-mode": ["concat", "add", "none"],
    "upsample": ["nearest", "bicubic", "transposed", "pixel_shuffle"],  # bilinear: as above
    "downsample": ["max", "average", "lanczos2"],
    "norm": ["group"],
    "input": ["meshgrid", "fourier", "observed"],
    "optimise": ["weights+input", "norms+input"],
}
CHOICE_ITERATIONS = 350


def unmar(*arguments):
    done = subprocess.run(
        [UNMAR, *map(str, arguments)], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    return done.stdout.decode()


def crop(source, target, side=256):
    picture = Image.open(source)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    picture.crop((left, top, left + side, top + side)).save(target)


class Tasks:
    """The damaged pictures, and one fit of each."""

    def __init__(self, data, out):
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        crop(data / "denoise/F16.png", out / "f16.png")
        crop(data / "inpaint/kate.png", out / "kate.png")
        crop(data / "inpaint/kate_mask.png", out / "mask.png")
        crop(data / "upscale/butterfly.png", out / "butterfly.png")
        unmar("degrade", out / "f16.png", "-o", out / "noisy.png", "--noise", 25, "--seed", 1)
        unmar("degrade", out / "kate.png", "-o", out / "text.png", "--mask", out / "mask.png")
        unmar("degrade", out / "butterfly.png", "-o", out / "small.png", "--shrink", 4)
        self.arguments = {
            "denoise": ["denoise", out / "noisy.png", "--sigma", 25],
            "inpaint": ["inpaint", out / "text.png", "--mask", out / "mask.png"],
            "upscale": ["upscale", out / "small.png", "--factor", 4],
        }
        self.clean = {"denoise": "f16.png", "inpaint": "kate.png", "upscale": "butterfly.png"}

    def fit(self, task, name, iterations, *options):
        """The manifest, with best_psnr and best_at of the running average."""
        base = self.out / f"{task}_{name}"
        manifest, history = base.with_suffix(".json"), base.with_suffix(".csv")
        if not manifest.exists():
            unmar(
                *self.arguments[task], "-o", base.with_suffix(".png"), "--stop", "none",
                "--average", "--iterations", iterations, "--reference", self.out / self.clean[task],
                "--history", history, "--manifest", manifest, *then(task, name), *options,
            )  # fmt: skip
        run = json.loads(manifest.read_text())
        rows = [row for row in csv.DictReader(history.open()) if row["psnr_average"]]
        best = max(rows, key=lambda row: float(row["psnr_average"]))
        run["best_psnr"], run["best_at"] = float(best["psnr_average"]), int(best["iteration"]) + 1
        print(f"{task} {name}: {run['best_psnr']:.2f} dB at {run['best_at']}", flush=True)
        return run

    def step(self, *options):
        """Seconds of one iteration of denoising: the median of three short fits."""
        fits = []
        for _ in range(3):
            told = unmar(
                *self.arguments["denoise"], "-o", self.out / "timed.png", "--stop", "none",
                "--iterations", TIMED_ITERATIONS, "--json", *options,
            )  # fmt: skip
            fits.append(json.loads(told)["seconds"] / TIMED_ITERATIONS)
        return sorted(fits)[1]


def networks_table(tasks, wanted):
    columns = [t for t in ("denoise", "inpaint", "upscale") if t in wanted]
    print("| network | parameters | s/iteration | " + " | ".join(columns) + " | iterations |")
    lines, strip = [], []
    for name in NETWORKS:
        iterations = ITERATIONS.get(name, DEFAULT_ITERATIONS)
        runs = {t: tasks.fit(t, name, iterations, "--network", name) for t in columns}
        first, step = runs[columns[0]], tasks.step("--network", name)
        cells = [
            f"{run['best_psnr']:.2f} at {run['best_at']}"
            if task == "denoise"
            else f"{run['result']['psnr']:.2f}"
            for task, run in runs.items()
        ]
        lines.append(f"| `{name}` | {first['parameters']:,} | {step:.2f} | "
                     + " | ".join(cells) + f" | {iterations} |")  # fmt: skip
        for task in columns:
            strip.append(f"{tasks.out}/{task}_{name}.png={name}, {runs[task]['result']['psnr']:.1f} dB")
    print("\n".join(lines))
    by_task = [strip[i :: len(columns)] for i in range(len(columns))]
    unmar("sheet", *sum(by_task, []), "-o", tasks.out / "networks.png", "--columns", len(NETWORKS),
          "--height", 192)  # fmt: skip


def choices_table(tasks):
    print("| option | value | s/iteration | denoise |")
    for option, values in CHOICES.items():
        for value in values:
            run = tasks.fit("denoise", f"skip_{option}_{value}", CHOICE_ITERATIONS, f"--{option}", value)
            step = tasks.step(f"--{option}", value)
            print(f"| `--{option}` | {value} | {step:.2f} | {run['best_psnr']:.2f} dB at "
                  f"{run['best_at']} |", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/networks")
    parser.add_argument("--only", default="denoise,inpaint,upscale,choices")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    tasks = Tasks(arguments.data, arguments.out)
    if set(wanted) - {"choices"}:
        networks_table(tasks, wanted)
    if "choices" in wanted:
        choices_table(tasks)


if __name__ == "__main__":
    main()
