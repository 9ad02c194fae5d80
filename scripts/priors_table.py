#!/usr/bin/env python3
"""Makes the tables and the picture of docs/priors.md: four priors on many small pictures.

    sudo apt-get install --no-install-recommends dataset-fashion-mnist python3-pil
    ./run build && scripts/priors_table.py OUT [--set NAME=PATH[:N] ...] [--pictures 50]

PATH is a file in MNIST's format, of which the first pictures are taken, or a folder of PNG
photographs, of which gray crops are taken in turn; with :N each pixel of a crop is the mean of NxN.
Without --set: the test pictures of Fashion-MNIST, which the models that come with Unmar never saw.
Each picture is damaged and restored by unmar compare-priors, with seed I + 1 for picture I: for its
damage, the fit, the search and the chain. OUT gets a page and its numbers, a JSON file, of each run.
What is done is not done again: a long table can be made in parts, and --table only tells what there
is. Prints Markdown. The intervals are those of Student's t for the mean of the paired differences.
"""

import argparse
import base64
import csv
import json
import math
import pathlib
import re
import statistics
import sys

from results import unmar
from small_pictures import from_idx, from_photographs, write_png

DAMAGES = {"half missing": "missing:0.5", "noise 50": "noise:50"}
FASHION = "fashion-mnist=/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
UNSTOPPED = 600  # iterations of curve(); the best is before 300
FEWEST = 5  # pictures for which quantile() is good enough
BASE = "DIP"


def quantile(freedom):
    """Of Student's t, 97.5 %: the first terms of its series around the normal one."""
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96,
             (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)  # fmt: skip
    return z + sum(term / freedom ** (i + 1) for i, term in enumerate(terms))


def spread(values):
    return statistics.stdev(values) if len(values) > 1 else 0.0


def interval(differences, digits):
    """Mean and half of the 95 % interval."""
    mean = f"{statistics.fmean(differences):+.{digits}f}".replace("-", "−")
    if len(differences) < FEWEST:
        return mean
    error = spread(differences) / math.sqrt(len(differences))
    return f"{mean} ± {quantile(len(differences) - 1) * error:.{digits}f}"


class Case:
    """One picture with one damage."""

    def __init__(self, arguments, name, index, damage):
        self.arguments, self.index, self.damage = arguments, index, damage
        self.folder = arguments.out / name
        self.base = f"{damage.replace(' ', '_')}_{index}"
        self.clean = self.folder / f"clean_{index}.png"
        self.page, self.numbers = (self.folder / (self.base + end) for end in (".html", ".json"))

    def run(self):
        if self.numbers.exists():
            return
        a = self.arguments
        told, _ = unmar("compare-priors", self.clean, "-o", self.page, "--damage",
                        DAMAGES[self.damage], "--seed", self.index + 1, "--threads", a.threads,
                        "--gan", a.gan, "--ddpm", a.ddpm, "--quiet", "--json")  # fmt: skip
        part = self.numbers.with_suffix(".part")
        part.write_text(told)
        part.rename(self.numbers)
        each = ", ".join(f"{name} {facts['psnr']:.2f}" for name, facts in self.told().items() if name)
        print(f"{self.folder.name} {self.base}: {each}", file=sys.stderr, flush=True)

    def curve(self):
        """Without a stop, against noise: PSNR of the iterates, and of their running average."""
        history = self.folder / f"{self.base}.csv"
        if not history.exists():
            damaged, part = self.folder / f"{self.base}.png", history.with_suffix(".part")
            sigma, seed = DAMAGES[self.damage].partition(":")[2], self.index + 1
            unmar("degrade", self.clean, "-o", damaged, "--noise", sigma, "--seed", seed)
            unmar("denoise", damaged, "-o", self.folder / f"{self.base}_fit.png", "--method", "dip",
                  "--sigma", sigma, "--seed", seed, "--stop", "none", "--iterations", UNSTOPPED,
                  "--threads", self.arguments.threads, "--reference", self.clean, "--history", part,
                  "--quiet")  # fmt: skip
            part.rename(history)
        rows = list(csv.DictReader(history.open()))
        return [[float(row[key] or row["psnr"]) for row in rows] for key in ("psnr", "psnr_average")]

    def told(self):
        """name -> facts of each prior that made a picture; "" is the damaged picture."""
        if not self.numbers.exists():
            return None
        facts = json.loads(self.numbers.read_text())
        rows = {"": {"psnr": facts["psnr_input"], "ssim": facts["ssim_input"]}}
        return rows | {r["name"]: r for r in facts["results"] if "psnr" in r}

    def pictures(self):
        """caption -> file, from the page of the run."""
        text = re.search(r'<script type="application/json" id="data">(.*?)</script>',
                         self.page.read_text("utf-8"), re.DOTALL)  # fmt: skip
        page = json.loads(text.group(1))
        shown = {"clean": page["clean"], self.damage: page["damaged"]}
        shown |= {f"{r['name']}, {r['psnr']:.1f} dB": r["picture"] for r in page["priors"] if "psnr" in r}
        for i, (caption, uri) in enumerate(shown.items()):
            file = self.folder / f"{self.base}_{i}.webp"
            file.write_bytes(base64.b64decode(uri.partition(",")[2]))
            yield caption, file


def make_pictures(arguments, name, text):
    path, _, reduction = text.partition(":")
    path, reduction = pathlib.Path(path), int(reduction or 1)
    folder = arguments.out / name
    if (folder / f"clean_{arguments.pictures - 1}.png").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        source = from_photographs(path, arguments.pictures, reduction)
    else:
        source = from_idx(path, arguments.pictures)
    for i, rows in enumerate(source):
        write_png(folder / f"clean_{i}.png", rows)


def table(name, damage, cases):
    """Only of pictures for which every prior made one, so that the rows can be compared."""
    runs = [told for c in cases if (told := c.told())]
    names = list(dict.fromkeys(n for told in runs for n in told))
    whole = [told for told in runs if len(told) == len(names)]
    if not whole:
        return
    left_out = f"; {len(runs) - len(whole)} left out, as a prior failed" if len(whole) < len(runs) else ""
    print(f"\n{name}, {damage}: {len(whole)} pictures{left_out}\n")
    print("| | PSNR | SD | SSIM | SD | PSNR − DIP | SSIM − DIP | better than DIP | best of all "
          "| work, of DIP's | core seconds |\n" + "|---" * 11 + "|")  # fmt: skip
    best = [max(told, key=lambda n: told[n]["psnr"]) for told in whole]
    for row in names:
        psnr, ssim = ([told[row][key] for told in whole] for key in ("psnr", "ssim"))
        cells = [f"{statistics.fmean(psnr):.2f}", f"{spread(psnr):.2f}",
                 f"{statistics.fmean(ssim):.3f}", f"{spread(ssim):.3f}"]  # fmt: skip
        if row == BASE:
            cells += ["", "", ""]
        else:
            base = [told[BASE] for told in whole]
            cells += [interval([a - b["psnr"] for a, b in zip(psnr, base)], 2),
                      interval([a - b["ssim"] for a, b in zip(ssim, base)], 3),
                      str(sum(a > b["psnr"] for a, b in zip(psnr, base)))]  # fmt: skip
        cells.append(str(best.count(row)))
        if row:
            work = statistics.fmean(told[row]["macs"] / told[BASE]["macs"] for told in whole)
            seconds = statistics.fmean(told[row]["cpu_seconds"] for told in whole)
            cells += [f"{work:.2f}", f"{seconds:.1f}"]
        else:
            cells += ["", ""]
        print(f"| {row or 'damaged'} | " + " | ".join(cells) + " |")


def stop_table(name, cases):
    """What the stop of the fit costs: the best of its curve is chosen by the clean picture."""
    print(f"\n{name}, {cases[0].damage}, the first {len(cases)}: what DIP would have at its best\n")
    print("| | PSNR | iteration, median |\n|---|---|---|")
    told, curves = [c.told() for c in cases], [c.curve() for c in cases]
    rows = {"DIP, as it stopped": [(t[BASE]["psnr"], t[BASE]["iterations"]) for t in told]}
    for i, label in ((1, "best running average"), (0, "best iterate")):
        rows[label] = [(max(c[i]), c[i].index(max(c[i])) + 1) for c in curves]
    for label, values in rows.items():
        psnr, iteration = zip(*values)
        print(f"| {label} | {statistics.fmean(psnr):.2f} | {statistics.median(iteration):.0f} |")
    for other in told[0]:
        if other not in ("", BASE):
            print(f"| {other} | {statistics.fmean(t[other]['psnr'] for t in told):.2f} | |")


def sheet(cases, target):
    cells = [f"{file}={caption}" for c in cases for caption, file in c.pictures()]
    unmar("sheet", *cells, "-o", target, "--columns", len(cells) // len(cases), "--height", 140)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--set", action="append", metavar="NAME=PATH[:N]", help=f"default: {FASHION}")
    parser.add_argument("--pictures", type=int, default=50, help="of each set")
    parser.add_argument("--gan", default="fashion-mnist-gan", help="name or folder, or none")
    parser.add_argument("--ddpm", default="fashion-mnist", help="name or folder, or none")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stops", type=int, default=0, metavar="N",
                        help="fit the first N noisy pictures of each set once more, without a stop")  # fmt: skip
    parser.add_argument("--table", action="store_true", help="only tell of what is done")
    parser.add_argument("--sheet", default="", metavar="I,J", help="pictures of the first set for OUT/priors.png")
    arguments = parser.parse_args()
    sets = dict(text.partition("=")[::2] for text in arguments.set or [FASHION])
    cases = [Case(arguments, name, i, damage)
             for i in range(arguments.pictures) for name in sets for damage in DAMAGES]  # fmt: skip
    if not arguments.table:
        for name, path in sets.items():
            make_pictures(arguments, name, path)
        for case in cases:
            case.run()
    for name in sets:
        for damage in DAMAGES:
            table(name, damage, [c for c in cases if c.folder.name == name and c.damage == damage])
    for name in sets if arguments.stops else ():
        noisy = [c for c in cases if c.folder.name == name and c.damage == "noise 50"]
        stop_table(name, [c for c in noisy if c.told()][: arguments.stops])
    if arguments.sheet:
        shown = [int(text) for text in arguments.sheet.split(",")]
        first = [c for c in cases if c.folder.name == next(iter(sets))]
        sheet([c for i in shown for c in first if c.index == i], arguments.out / "priors.png")


if __name__ == "__main__":
    main()
