#!/usr/bin/env python3
"""Deep Image Prior, a diffusion model, and the one refined by the other, on pictures that the model never saw.

    ./run build && scripts/diffusion_table.py --model MODEL --out DIR [--pictures 12] [--steps 50]

Takes the first pictures of Fashion-MNIST's test set (Debian: dataset-fashion-mnist), damages each in six ways (noise
seed 1) and restores it

- by the fit alone (unmar's defaults for the task), or not at all but for bicubic enlarging;
- by the model alone, from noise;
- by the model from the fit's result, noised to t0 (--start auto), and from the damaged picture itself;

each with and without consistency, all with the same number of network evaluations. Seconds are those of one core at work,
the fit's and the chain's; what loading the model takes is in no row. The prior is fitted once per picture and damage and
then read from its file; its seconds count in every row that uses it. Runs that are done are not run again; the tables are made from
DIR/*.json, DIR/sheet.png shows the first pictures. Prints Markdown.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from small_pictures import SIDE, from_idx, write_png

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNMAR = ROOT / "build/release/apps/cli/unmar"
HOLE = 10

# name: degrade's options, refine's options, whether there is a mask
DAMAGES = {
    "noise 25": (["--noise", 25], ["--task", "denoise", "--sigma", 25]),
    "noise 50": (["--noise", 50], ["--task", "denoise", "--sigma", 50]),
    "half missing": (["--missing", 0.5], ["--task", "inpaint"]),
    "hole": (["--mask", "hole.png"], ["--task", "inpaint"]),
    "x2": (["--shrink", 2, "--kernel", "lanczos2"], ["--task", "upscale", "--factor", 2]),
    "x4": (["--shrink", 4, "--kernel", "lanczos2"], ["--task", "upscale", "--factor", 4]),
}
SAMPLERS = (
    ("ddim 0.85", ["--sampler", "ddim", "--eta", 0.85]),
    ("ddim 0", ["--sampler", "ddim", "--eta", 0]),
    ("ddpm", ["--sampler", "ddpm"]),
    ("dpm-solver++", ["--sampler", "dpm-solver++"]),
)
STARTS = (25, 50, 100, 200, 300, 500, 700)


def make_pictures(a):
    for i, rows in enumerate(from_idx(a.data, a.pictures)):
        write_png(a.out / f"clean_{i}.png", rows)
    inside = range((SIDE - HOLE) // 2, (SIDE + HOLE) // 2)
    hole = [[0 if x in inside and y in inside else 255 for x in range(SIDE)] for y in range(SIDE)]
    write_png(a.out / "hole.png", hole)


def unmar(a, *words):
    done = subprocess.run([str(a.unmar), *map(str, words)], capture_output=True, text=True, cwd=a.out)
    if done.returncode:
        sys.exit(f"unmar {' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


class Case:
    """One picture with one damage."""

    def __init__(self, a, index, damage):
        self.a, self.index, self.damage = a, index, damage
        self.name = f"{damage.replace(' ', '_')}_{index}"
        self.prior = f"prior_{self.name}.tif"

    def file(self, what):
        return f"{what}_{self.name}.png"

    def words(self):
        task = list(DAMAGES[self.damage][1])
        if "inpaint" in task:
            task += ["--mask", self.file("mask")]
        return task + ["--reference", f"clean_{self.index}.png", "--threads", self.a.threads]

    def facts(self, label, extra):
        """What --json says of refine with these options, made if it is not there yet."""
        label = label.replace(" ", "_")
        path = self.a.out / f"{label}_{self.name}.json"
        if not path.exists():
            words = ["refine", self.file("damaged"), "-o", self.file(label), "--model", self.a.model,
                     "--steps", self.a.steps, "--seed", self.a.seed, "--quiet", "--json"]
            path.write_text(unmar(self.a, *words, *self.words(), *extra))
        return json.loads(path.read_text())

    def refined(self, label, extra):
        """From the prior that dip() fitted; its seconds count."""
        facts = dict(self.facts(label, ["--prior-file", self.prior, *extra]))
        facts["fit_cpu_seconds"] = self.dip()["fit_cpu_seconds"]
        return facts

    def damaged(self):
        if not (self.a.out / self.file("damaged")).exists():
            extra = list(DAMAGES[self.damage][0])
            if self.damage == "half missing" or self.damage == "hole":
                extra += ["--mask-out", self.file("mask")]
            unmar(self.a, "degrade", f"clean_{self.index}.png", "-o", self.file("damaged"), "--seed", 1, *extra)

    def dip(self):
        """The first full run: fit, then the chain from t0."""
        return self.facts("dip_ddnm", ["--save-prior", self.prior, *consistency("ddnm")])

    def start(self):
        return ["--start", self.dip()["start"]]


def consistency(name):
    return ["--consistency", name]


def rows(case):
    """label -> facts, of the first table."""
    full = case.dip()
    fit = {"psnr": full["psnr_prior"], "ssim": full["ssim_prior"], "evaluations": 0,
           "fit_cpu_seconds": full["fit_cpu_seconds"], "chain_cpu_seconds": 0}
    given = {"psnr": full["psnr_input"], "ssim": full["ssim_input"], "evaluations": 0,
             "fit_cpu_seconds": 0, "chain_cpu_seconds": 0}
    table = {"the damaged picture": given, "Deep Image Prior": fit}
    noise = ["--prior", "none"]
    for name in ("none", "ddnm"):
        text = "" if name == "none" else " + DDNM"
        table["model from noise" + text] = case.facts(f"noise_{name}", noise + consistency(name))
    if case.damage not in ("half missing", "hole"):
        for name in ("none", "ddnm"):
            text = "" if name == "none" else " + DDNM"
            extra = ["--prior", "input"] + consistency(name)
            table["model from the damaged picture" + text] = case.facts(f"input_{name}", extra)
    else:
        table["model from noise + RePaint"] = case.facts("noise_repaint", noise + consistency("repaint"))
    table["DIP, then model"] = case.refined("dip_none", case.start() + consistency("none"))
    table["DIP, then model + DDNM"] = full
    return table


def mean(values):
    return statistics.fmean(values)


def span(values, digits):
    low, high = (f"{v:.{digits}f}" for v in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"


def row(label, cells):
    print(f"| {label} | " + " | ".join(cells) + " |")


def print_main(cases):
    """One row per way of restoring, one column per damage."""
    columns = {damage: [rows(c) for c in cases if c.damage == damage] for damage in DAMAGES}
    labels = ["the damaged picture", "Deep Image Prior", "model from noise", "model from noise + DDNM",
              "model from noise + RePaint", "model from the damaged picture", "model from the damaged picture + DDNM",
              "DIP, then model", "DIP, then model + DDNM"]
    best = {d: max(mean(s[label]["psnr"] for s in some) for label in some[0]) for d, some in columns.items()}
    row("PSNR (SSIM; pictures better than by DIP)", [*DAMAGES, "evaluations", "core seconds"])
    print("|---" * (len(DAMAGES) + 3) + "|")
    for label in labels:
        cells, evaluations, seconds = [], [], []
        for damage, some in columns.items():
            if label not in some[0]:
                cells.append("–")
                continue
            facts = [s[label] for s in some]
            wins = sum(f["psnr"] > s["Deep Image Prior"]["psnr"] for f, s in zip(facts, some))
            psnr = mean(f["psnr"] for f in facts)
            text = f"**{psnr:.2f}**" if psnr == best[damage] else f"{psnr:.2f}"
            count = "" if label == "Deep Image Prior" else f"; {wins}"
            cells.append(f"{text} ({mean(f['ssim'] for f in facts):.3f}{count})")
            evaluations.append(mean(f["evaluations"] for f in facts))
            seconds.append(mean(f["fit_cpu_seconds"] + f["chain_cpu_seconds"] for f in facts))
        row(label, [*cells, span(evaluations, 0), span(seconds, 1)])


def print_estimates(cases):
    """How good --start auto's estimate is. Known pixels are pasted: all of the error is at the missing ones."""
    some = {damage: [c for c in cases if c.damage == damage] for damage in DAMAGES}
    share = {"half missing": 0.5, "hole": HOLE**2 / SIDE**2}
    root = lambda values: mean(v * v for v in values) ** 0.5
    true = {d: root([255 * 10 ** (-c.dip()["psnr_prior"] / 20) / share.get(d, 1) ** 0.5 for c in cs])
            for d, cs in some.items()}
    print("\nThe estimate of the prior's error, root mean square over the pictures, of 255\n")
    row("", DAMAGES)
    print("|---" * (len(DAMAGES) + 1) + "|")
    row("t0 by `auto`", [span([c.dip()["start"] for c in cs], 0) for cs in some.values()])
    row("error of the prior, where it is one", [f"{v:.1f}" for v in true.values()])
    row("estimated", [f"{root([c.dip()['prior_error'] for c in cs]):.1f}" for cs in some.values()])


def sweep(case, name):
    return [case.refined(f"t{t}_{name}", ["--start", t] + consistency(name))["psnr"] for t in STARTS]


def print_sweep(cases):
    print("\nPSNR over t0, from the fit's result\n")
    print("| | DIP | " + " | ".join(f"{t}" for t in STARTS) + " |\n" + "|---" * (len(STARTS) + 2) + "|")
    for damage in DAMAGES:
        some = [c for c in cases if c.damage == damage]
        prior = mean(c.dip()["psnr_prior"] for c in some)
        for name in ("none", "ddnm"):
            values = [mean(column) for column in zip(*(sweep(c, name) for c in some))]
            best = max(values)
            cells = [f"**{v:.2f}**" if v == best else f"{v:.2f}" for v in values]
            print(f"| {damage}{' + DDNM' if name == 'ddnm' else ''} | {prior:.2f} | " + " | ".join(cells) + " |")


def sampled(case, label, extra):
    # ddnm needs fresh noise where the picture is noisy
    name = "none" if case.damage.startswith("noise") else "ddnm"
    return case.refined(f"{label}_{name}", case.start() + consistency(name) + extra)["psnr"]


def print_samplers(cases):
    print("\nPSNR by sampler, from the same t0 (DDNM but for noise)\n")
    print("| | " + " | ".join(label for label, _ in SAMPLERS) + " |\n" + "|---" * (len(SAMPLERS) + 1) + "|")
    for damage in DAMAGES:
        some = [c for c in cases if c.damage == damage]
        cells = [f"{mean(sampled(c, label, extra) for c in some):.2f}" for label, extra in SAMPLERS]
        print(f"| {damage} | " + " | ".join(cells) + " |")


def make_sheet(a, cases):
    words = []
    for damage in DAMAGES:
        case = next(c for c in cases if c.damage == damage and c.index == a.shown)
        table = rows(case)
        shown = [(f"clean_{case.index}.png", "clean"), (case.file("damaged"), damage),
                 (case.prior, f"DIP {table['Deep Image Prior']['psnr']:.1f} dB")]
        for label, text in (("noise_ddnm", "model from noise + DDNM"), ("dip_none", "DIP, then model"),
                            ("dip_ddnm", "DIP, then model + DDNM")):
            caption = text.replace("model from noise", "model").replace("DIP, then model", "DIP, model")
            shown.append((case.file(label), f"{caption} {table[text]['psnr']:.1f}"))
        words += [f"{name}={caption}" for name, caption in shown]
    unmar(a, "sheet", *words, "-o", "sheet.png", "--columns", 6, "--height", 168)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=lambda p: str(pathlib.Path(p).resolve()) if pathlib.Path(p).exists() else p)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--unmar", default=UNMAR, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--data", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--swept", type=int, default=6, help="pictures of the tables over t0 and sampler")
    parser.add_argument("--shown", type=int, default=0, help="picture of the sheet")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="at a time")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    make_pictures(a)
    cases = [Case(a, i, damage) for i in range(a.pictures) for damage in DAMAGES]
    swept = [c for c in cases if c.index < a.swept]

    def work(case):
        case.damaged()
        rows(case)
        if case.index < a.swept:
            for name in ("none", "ddnm"):
                sweep(case, name)
            for label, extra in SAMPLERS:
                sampled(case, label, extra)

    with ThreadPoolExecutor(a.jobs) as pool:
        list(pool.map(work, cases))
    print(f"{a.pictures} pictures, {a.steps} timesteps at most, seeds: damage 1, fit and chain {a.seed}; means.")
    print_main(cases)
    print_estimates(cases)
    if swept:
        print_sweep(swept)
        print_samplers(swept)
    make_sheet(a, cases)


if __name__ == "__main__":
    main()
