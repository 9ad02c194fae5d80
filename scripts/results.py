#!/usr/bin/env python3
"""Makes the tables and the picture of docs/results.md: presets beside what else a user has.

    sudo apt-get install --no-install-recommends python3-skimage python3-opencv python3-pywt
    ./run build && scripts/results.py DATA [--methods quick,best,...] [--groups denoise,...]

DATA holds the usual research pictures (see GROUPS; not part of the project). Of each the centre,
--side pixels wide, is damaged with seed 1, restored by each method and compared with the clean one
over all colours and pixels; --side 0 takes all of it, and tells what the paper published, too. The
methods of scikit-image and OpenCV that have a strength get the best of STRENGTHS, judged by the
clean picture, which is more than a user can do. BM3D (scripts/peers/bm3d.py) is told sigma; unmar is
told nothing, but for --preset paper. Seconds are those of the processor, of all threads
together. What is done is not done again: a long table can be made in parts, and --table only tells
what there is.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNMAR = os.environ.get("UNMAR", ROOT / "build/release/apps/cli/unmar")
OURS = {
    "patches": ["--method", "patches"],
    "dip": ["--method", "dip"],
    "dip tiles": ["--method", "dip", "--tile", "160"],
    "quick": ["--preset", "quick"],
    "quick tiles": ["--preset", "quick", "--tile", "160"],
    "best": ["--preset", "best"],
    "paper": ["--preset", "paper"],
}

DENOISE = ["denoise/F16", "denoise/House", "denoise/Peppers", "denoise/kodim03"]
WHOLE = ["denoise/F16", "denoise/Peppers", "denoise/kodim03", "missing50/kate_rgb",
         "missing50/barbara", "missing50/boat"]  # fmt: skip
GRAY = ["missing50/barbara", "missing50/boat", "missing50/house"]
HOLES = ["missing50/barbara", "missing50/boat", "missing50/house"]
UPSCALE = ["upscale/butterfly", "upscale/bird", "upscale/woman"]
# The paper has another recipe for pixels missing at random than for text, which --preset paper is.
RANDOM_HOLES = ["--skip", 4, "--upsample", "bilinear", "--lr", 0.001, "--iterations", 11000]


def denoising(sigma, pictures=DENOISE):
    return {
        "pictures": pictures,
        "damage": ["--noise", sigma],
        "task": ["denoise"],
        "rivals": ["tv", "wavelet", "nlm", "nlm-cv", "bm3d"],
        "paper": ["--sigma", sigma],
        "sigma": sigma,
    }


def counting(photons):
    return {
        "pictures": DENOISE,
        "damage": ["--poisson", photons],
        "task": ["denoise"],
        "rivals": [],
    }


GROUPS = {
    "denoise10": denoising(10),
    "denoise15": denoising(15),
    "denoise25": denoising(25),
    "denoise50": denoising(50),
    "gray15": denoising(15, GRAY),
    "gray25": denoising(25, GRAY),
    "gray50": denoising(50, GRAY),
    "whole25": denoising(25, WHOLE),  # methods "quick,quick tiles"
    "whole50": denoising(50, WHOLE),
    "poisson10": counting(10),
    "poisson30": counting(30),
    "poisson100": counting(100),
    "microscope": {  # pairs: what came in and the mean of many
        "pictures": ["science/bacteria16_noisy_avg1", "science/fmd_BPAE_R_raw"],
        "clean": ["science/bacteria16_target_avg", "science/fmd_BPAE_R_avg50"],
        "damage": None,
        "task": ["denoise"],
        "rivals": [],
    },
    "missing50": {
        "pictures": HOLES,
        "damage": ["--missing", 0.5],
        "task": ["inpaint"],
        "rivals": ["biharmonic"],
        "paper": RANDOM_HOLES,
        "published": {"barbara": 32.22, "boat": 33.06, "house": 39.16},
    },
    "text": {
        "pictures": ["inpaint/kate"],
        "damage": ["--mask", "inpaint/kate_mask"],
        "task": ["inpaint"],
        "rivals": ["biharmonic"],
    },
    "upscale4": {
        "pictures": UPSCALE,
        "damage": ["--shrink", 4],
        "task": ["upscale", "--factor", 4],
        "rivals": ["bicubic", "lanczos"],
        "published": {"butterfly": 26.23, "bird": 31.80, "woman": 28.93},
        "measure": ["--luma", "--border", 4],
    },
    "jpeg10": {
        "pictures": DENOISE,
        "damage": None,
        "task": ["denoise"],
        "rivals": ["tv", "wavelet", "nlm", "nlm-cv"],
        "sigma": 10,
    },
}
JPEG_QUALITY = 10
STRENGTHS = [0.35, 0.5, 0.7, 1.0, 1.4, 2.0]


def unmar(*arguments):
    """Standard output and processor seconds."""
    before = os.times()
    done = subprocess.run([UNMAR, *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)  # fmt: skip
    after = os.times()
    if done.returncode:
        sys.exit(f"unmar {' '.join(map(str, arguments))}\n{done.stderr}")
    spent = after.children_user - before.children_user
    return done.stdout, spent + after.children_system - before.children_system


def rival(name, damaged, mask, sigma, size):
    """The restored picture of each strength, as bytes of RGB or gray."""
    import cv2
    import numpy as np
    from PIL import Image
    from skimage import restoration

    y = np.asarray(Image.open(damaged))
    unit, level = y.astype(np.float32) / 255, (sigma or 0) / 255
    colour = -1 if y.ndim == 3 else None

    def picture(x):
        return Image.fromarray((np.clip(x, 0, 1) * 255).round().astype(np.uint8))

    if name in ("bicubic", "lanczos"):
        resample = Image.Resampling.BICUBIC if name == "bicubic" else Image.Resampling.LANCZOS
        yield Image.open(damaged).resize(size, resample)
    elif name == "biharmonic":
        holes = np.asarray(Image.open(mask).convert("L")) < 128
        yield picture(restoration.inpaint_biharmonic(unit, holes, channel_axis=colour))
    elif name == "wavelet":
        yield picture(restoration.denoise_wavelet(
            unit, sigma=level, channel_axis=colour, convert2ycbcr=colour is not None,
            method="BayesShrink", mode="soft", rescale_sigma=True))  # fmt: skip
    else:
        for strength in STRENGTHS:
            if name == "tv":
                yield picture(restoration.denoise_tv_chambolle(
                    unit, weight=strength * 1.2 * level, channel_axis=colour))  # fmt: skip
            elif name == "nlm":
                yield picture(restoration.denoise_nl_means(
                    unit, h=strength * level, sigma=level, fast_mode=True, patch_size=5,
                    patch_distance=6, channel_axis=colour))  # fmt: skip
            elif colour is None:
                yield Image.fromarray(cv2.fastNlMeansDenoising(y, None, strength * sigma))
            else:
                yield Image.fromarray(
                    cv2.fastNlMeansDenoisingColored(y, None, strength * sigma, strength * sigma))


class Case:
    """One damaged picture."""

    def __init__(self, arguments, group, picture):
        self.arguments, self.group, self.facts = arguments, group, GROUPS[group]
        self.name = pathlib.Path(picture).name
        self.source = (arguments.data / picture).with_suffix(".png")
        pairs = dict(zip(self.facts["pictures"], self.facts.get("clean", [])))
        self.pair = (arguments.data / pairs[picture]).with_suffix(".png") if pairs else None
        self.base = arguments.out / str(arguments.side or "whole") / group / self.name
        self.clean, self.damaged = self.file("clean"), self.file("damaged")
        self.mask = self.file("mask") if self.facts["task"][0] == "inpaint" else None

    def file(self, what, suffix=".png"):
        return self.base.with_name(f"{self.name}_{what}{suffix}")

    def crop(self, source, target):
        from PIL import Image

        picture = Image.open(source)
        if self.arguments.side == 0:
            picture.save(target)
            return
        side = min(self.arguments.side * (2 if self.group == "text" else 1), *picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture.crop((left, top, left + side, top + side)).save(target)

    def prepare(self):
        if self.damaged.exists():
            return
        self.base.parent.mkdir(parents=True, exist_ok=True)
        if self.pair:
            self.crop(self.source, self.damaged)
            self.crop(self.pair, self.clean)
            return
        self.crop(self.source, self.clean)
        damage = self.facts["damage"]
        if damage is None:
            from PIL import Image

            jpeg = self.file("damaged", ".jpg")
            Image.open(self.clean).convert("RGB").save(jpeg, quality=JPEG_QUALITY)
            Image.open(jpeg).save(self.damaged)
            return
        if damage[0] == "--mask":
            self.crop((self.arguments.data / damage[1]).with_suffix(".png"), self.mask)
            damage = ["--mask", self.mask]
        elif damage[0] == "--missing":
            damage = [*damage, "--mask-out", self.mask]
        unmar("degrade", self.clean, "-o", self.damaged, "--seed", 1, *damage)

    def run(self, method):
        """Restores, unless that is done."""
        result, told = self.file(method), self.file(method, ".json")
        if told.exists() or self.arguments.table:
            return
        self.prepare()
        if method in OURS:
            task, *known = self.facts["task"]
            mask = ["--mask", self.mask] if self.mask else []
            more = self.facts.get(method, [])
            fit, seconds = unmar(
                task, self.damaged, "-o", result, *mask, *known, *OURS[method], *more,
                *self.arguments.more, "--reference", self.clean, "--threads",
                self.arguments.threads, *self.history(method), "--quiet", "--json")  # fmt: skip
            facts = json.loads(fit)
        elif method == "bm3d":
            facts, seconds = self.peer(method, result)
        else:
            facts, seconds = self.best_of_strengths(method, result)
        facts["cpu_seconds"] = seconds
        told.write_text(json.dumps(facts))
        print(f"{self.group} {self.name} {method}: {facts['psnr']:.2f} dB, {seconds:.0f} s",
              file=sys.stderr, flush=True)  # fmt: skip

    def history(self, method):
        return [] if method == "patches" or method.endswith("tiles") else ["--history", self.file(method, ".csv")]

    def peer(self, method, result):
        """A script beside this one, which is told sigma."""
        before = os.times()
        subprocess.run(
            ["/usr/bin/python3", ROOT / f"scripts/peers/{method}.py", self.damaged, "-o", result,
             "--sigma", str(self.facts["sigma"])],
            check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        after = os.times()
        spent = after.children_user - before.children_user
        return self.compare(result), spent + after.children_system - before.children_system

    def best_of_strengths(self, method, result):
        from PIL import Image

        best, seconds, size = {}, [], Image.open(self.clean).size
        trial = self.file(method + "_trial")
        start = time.process_time()
        for picture in rival(method, self.damaged, self.mask, self.facts.get("sigma"), size):
            seconds.append(time.process_time() - start)
            picture.save(trial)
            facts = self.compare(trial)
            if not best or facts["psnr"] > best["psnr"]:
                best = facts
                trial.rename(result)
            start = time.process_time()
        trial.unlink(missing_ok=True)
        return best, statistics.mean(seconds)

    def compare(self, picture, *how):
        return json.loads(unmar("compare", self.clean, picture, *how, "--json")[0])

    def published(self):
        """What the paper has for this picture, and the PSNR of --preset paper, measured like that."""
        told = self.facts.get("published", {}).get(self.name)
        if told is None or self.arguments.side != 0 or not self.told("paper"):
            return None
        return told, self.compare(self.file("paper"), *self.facts.get("measure", []))["psnr"]

    def input(self):
        """PSNR before; of an enlargement that of bicubic."""
        if self.facts["task"][0] != "upscale" and not self.pair:
            return self.compare(self.damaged)["psnr"]
        told = [self.told(m) for m in OURS]
        return next((t["psnr_input"] for t in told if t), None)

    def told(self, method):
        file = self.file(method, ".json")
        return json.loads(file.read_text()) if file.exists() else None


def cell(case, method):
    """PSNR / SSIM of the result; of paper, which stops by no rule, also the best of its curve."""
    told = case.told(method)
    if not told:
        return "–"
    text = f"{told['psnr']:.2f} / {told['ssim']:.3f}"
    if method != "paper":
        return text
    curve = [float(row["psnr_average"] or row["psnr"])
             for row in csv.DictReader(case.file(method, ".csv").open())]  # fmt: skip
    return f"{text} after {len(curve)}; {max(curve):.2f} after {curve.index(max(curve)) + 1}"


def table(group, cases, methods):
    methods = [m for m in methods if any(c.told(m) for c in cases)]
    if not methods:
        return
    print(f"\n{group}: PSNR in dB / SSIM\n")
    print("| picture | input | " + " | ".join(methods) + " |")
    print("|---" * (len(methods) + 2) + "|")
    for c in cases:
        before = c.input() if c.damaged.exists() else None
        print(f"| {c.name} | {f'{before:.2f}' if before else '–'} | "
              + " | ".join(cell(c, m) for m in methods) + " |")  # fmt: skip
    seconds = []
    for m in methods:
        spent = [c.told(m)["cpu_seconds"] for c in cases if c.told(m)]
        seconds.append(f"{statistics.mean(spent):.2g}")
    means = [statistics.mean(t["psnr"] for c in cases if (t := c.told(m))) for m in methods]
    print("| mean | | " + " | ".join(f"{m:.2f}" for m in means) + " |")
    print("| processor seconds, mean | | " + " | ".join(seconds) + " |")
    for c in cases:
        if both := c.published():
            print(f"\n{c.name}: published {both[0]:.2f} dB, `paper` {both[1]:.2f} dB")


def sheet(arguments, cases, methods):
    """The first picture of each group: clean, damaged, and by each method."""
    cells, columns = [], ["clean", "damaged", *methods]
    for c in cases:
        for what in columns:
            told = c.told(what)
            caption = f"{what}, {told['psnr']:.1f} dB" if told else what
            file = c.file(what)
            cells.append(f"{file if file.exists() else c.damaged}={caption if file.exists() else '–'}")
    unmar("sheet", *cells, "-o", arguments.out / "results.png", "--columns", len(columns),
          "--height", 160)  # fmt: skip


def main():
    words = sys.argv[1:]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/results")
    parser.add_argument("--side", type=int, default=128,
                        help="of the crops; text: twice that; 0: whole pictures")
    parser.add_argument("--groups", default=",".join(GROUPS))
    parser.add_argument("--methods", default="rivals,patches,dip,quick,best,paper")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="only tell of what is done")
    parser.add_argument("--sheet", default="", help="methods to show in a picture, with commas")
    arguments = parser.parse_args(words[: words.index("--")] if "--" in words else words)
    arguments.more = words[words.index("--") + 1 :] if "--" in words else []
    shown = []
    for group in arguments.groups.split(","):
        cases = [Case(arguments, group, p) for p in GROUPS[group]["pictures"]]
        methods = []
        for m in arguments.methods.split(","):
            if m in ("patches", "dip", "dip tiles") and GROUPS[group]["task"][0] != "denoise":
                continue
            methods += GROUPS[group]["rivals"] if m == "rivals" else [m]
        for m in methods:
            for c in cases:
                c.run(m)
        table(group, cases, methods)
        shown.append(cases[0])
    if arguments.sheet:
        sheet(arguments, shown, arguments.sheet.split(","))


if __name__ == "__main__":
    main()
