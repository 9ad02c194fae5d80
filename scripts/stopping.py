#!/usr/bin/env python3
"""How well each stop rule stops: fits pictures under many kinds of noise and judges all rules at once.

    ./run build && scripts/stopping.py CLEAN.png... --out DIR [--jobs 2] [-- denoise options]

Every picture is damaged with every kind of noise (seed --noise-seed) and fitted once, with --stop
none and all rules watching: DIR/PICTURE_NOISE.csv holds loss, PSNR of iterate and running average,
and each rule's signal, choice and stop, per iteration; the .json beside it the cost of each rule.
Finished fits are not run again, so the table can be made from the curves at any time (--table). A
rule's result is the PSNR of the running average at the iteration it chose; the oracle is the best
running average of the whole curve. held-out and auto hide some values from the loss, so the curves are
those of a fit that does; --watch chooses the rules. A rule that chose nothing counts as the last
iteration. Sizes of 128x128 to 256x256 keep it to minutes a fit.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNMAR = ROOT / "build/release/apps/cli/unmar"

# Gaussian as in the literature on colour denoising; the others at the low and high levels of Wang
# et al., "Early Stopping for Deep Image Prior", TMLR 2023 (photons of a white pixel, deviation of the
# factor, fraction of the values).
NOISES = {
    "gauss15": (["--noise", 15], ["--sigma", 15]),
    "gauss25": (["--noise", 25], ["--sigma", 25]),
    "gauss50": (["--noise", 50], ["--sigma", 50]),
    "poisson25": (["--poisson", 25], []),
    "poisson12": (["--poisson", 12], []),
    "speckle20": (["--speckle", 0.20], []),
    "speckle35": (["--speckle", 0.35], []),
    "pepper10": (["--salt-pepper", 0.1], []),
    "pepper30": (["--salt-pepper", 0.3], []),
}
NEEDS_SIGMA = ("discrepancy", "sure")


class Fit:
    def __init__(self, arguments, picture, noise):
        self.arguments, self.picture, self.noise = arguments, picture, noise
        base = arguments.out / f"{picture.stem}_{noise}"
        self.history, self.facts = base.with_suffix(".csv"), base.with_suffix(".json")
        self.damaged = base.with_suffix(".tif")

    def done(self):
        return self.facts.exists() and self.history.exists()

    def run(self):
        a = self.arguments
        damage, known = NOISES[self.noise]
        unmar(a, "degrade", self.picture, "-o", self.damaged, "--seed", a.noise_seed, *damage)
        rules = [r for r in a.watch.split(",") if known or r not in NEEDS_SIGMA]
        facts = unmar(
            a, "denoise", self.damaged, "-o", self.damaged.with_suffix(".png"),
            "--reference", self.picture, "--stop", "none", "--iterations", a.iterations,
            "--watch", ",".join(rules), "--history", self.history, "--threads", a.threads,
            "--quiet", "--json", *known, *a.more,
        )  # fmt: skip
        self.facts.write_text(facts)
        self.damaged.unlink()

    def rows(self):
        """(rule, PSNR at its choice, iteration chosen, last iteration, share of the time)."""
        facts = json.loads(self.facts.read_text())
        with open(self.history) as file:
            curve = [float(row["psnr_average"]) for row in csv.DictReader(file)]
        oracle = max(curve)
        yield "oracle", oracle, oracle, curve.index(oracle), len(curve), 0
        yield "none", oracle, curve[-1], len(curve) - 1, len(curve), 0
        for rule, seen in facts["watched"].items():
            best, stop = seen["best_iteration"], seen["stopped_at"]
            best = len(curve) - 1 if best is None else best
            stop = len(curve) if stop is None else stop + 1
            share = seen["seconds"] / facts["seconds"]
            yield rule, oracle, curve[best], best, stop, share


def unmar(arguments, *words):
    command = [arguments.unmar, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def run_missing(arguments, fits):
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for fit, _ in zip(fits, pool.map(Fit.run, fits)):
            print(f"{fit.history} done", file=sys.stderr, flush=True)


def table(fits):
    rules = {}
    print(f"{'picture':12} {'noise':10} {'rule':15} {'PSNR':>6} {'oracle':>6} {'gap':>5} "
          f"{'chosen':>6} {'ended':>6} {'cost':>6}")  # fmt: skip
    for fit in fits:
        for rule, oracle, psnr, best, stop, share in fit.rows():
            rules.setdefault(rule, []).append((oracle - psnr, stop, share))
            print(f"{fit.picture.stem:12} {fit.noise:10} {rule:15} {psnr:6.2f} {oracle:6.2f} "
                  f"{oracle - psnr:5.2f} {best:6} {stop:6} {100 * share:5.1f}%")  # fmt: skip
    print(f"\n{'rule':15} {'fits':>4} {'mean gap':>8} {'worst':>6} {'iterations':>10} {'cost':>6}")
    for rule, seen in rules.items():
        gaps, stops, shares = zip(*seen)
        print(f"{rule:15} {len(seen):4} {statistics.mean(gaps):8.2f} {max(gaps):6.2f} "
              f"{statistics.mean(stops):10.0f} {100 * statistics.mean(shares):5.1f}%")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="*", type=pathlib.Path, metavar="CLEAN")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--unmar", default=UNMAR)
    parser.add_argument("--noises", default=",".join(NOISES))
    parser.add_argument("--watch", default="auto,wmv,emv,held-out,self-reference,discrepancy")
    parser.add_argument("--iterations", type=int, default=1200)
    parser.add_argument("--noise-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time")
    parser.add_argument("--threads", type=int, default=1, help="of each fit")
    parser.add_argument("--table", action="store_true", help="only tell of the fits that are done")
    words = sys.argv[1:]
    more = words[words.index("--") + 1 :] if "--" in words else []
    arguments = parser.parse_args(words[: words.index("--")] if "--" in words else words)
    arguments.more = more
    arguments.out.mkdir(parents=True, exist_ok=True)
    fits = [Fit(arguments, p, n) for n in arguments.noises.split(",") for p in arguments.pictures]
    if not arguments.table:
        run_missing(arguments, [fit for fit in fits if not fit.done()])
    table([fit for fit in fits if fit.done()])


if __name__ == "__main__":
    main()
