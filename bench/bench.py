#!/usr/bin/env python3
"""Measures Unmar's speed and memory, beside PyTorch's, and prints one table.

    bench/bench.py BUILD [--quick] [--json FILE] [--threads N] [--rounds N]

BUILD is a build folder with the program and the benchmarks (./run bench makes it). Whatever is
compared is measured in turn, A B A B, and the medians are given. The network is the standard one
(skip, 5 scales of 128 channels) unless a row says otherwise. What is missing on this machine,
PyTorch or valgrind, is said in its row. scripts/compare_bench.py compares two of the JSON files.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYOUTS = ("contiguous", "channels_last")
TORCH_GB_PER_MPX = 10


class Failed(Exception):
    pass


def run(command, environment=None):
    """Output, seconds and peak MiB of a program of its own."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], stdout=out, stderr=err,
            env={**os.environ, **(environment or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        output, errors = out.read(), err.read()
    if process.returncode != 0:
        lines = errors.strip().splitlines() or [f"exit code {process.returncode}"]
        raise Failed(lines[-1])
    return output, errors, seconds, usage.ru_maxrss / 1024


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, build, threads, quick, rounds):
        self.unmar = build / "apps/cli/unmar"
        self.programs = build / "bench"
        self.threads = threads
        self.quick = quick
        self.rounds = rounds
        self.torch = None
        self.rows = []  # (what, ours, PyTorch's, ratio)

    def row(self, what, ours="", theirs="", ratio=""):
        self.rows.append((what, ours, theirs, ratio))

    # --- one measurement each ---------------------------------------------------------------

    def our_step(self, size, threads):
        output, _, _, mib = run(
            [
                self.programs / "bench_step",
                f"--benchmark_filter=^step/skip128/{size}x{size}/",
                "--benchmark_format=json",
                f"--benchmark_min_time={0.5 if self.quick else 2}",
            ],
            {"UNMAR_THREADS": str(threads)},
        )
        return {"seconds": json.loads(output)["benchmarks"][0]["real_time"] / 1000, "mib": mib}

    def torch_step(self, size, layout):
        runs = (2 if self.quick else 5) if size <= 256 else (1 if self.quick else 2)
        output, *_ = run(
            ["/usr/bin/python3", ROOT / "bench/torch_step.py", "--json", "--layout", layout]
            + ["--size", size, "--threads", self.threads, "--warmup", 1, "--runs", runs]
        )
        result = json.loads(output)[0]
        self.torch = result["program"]
        return {"seconds": result["median_seconds"], "mib": result["peak_rss_mb"]}

    def profile(self, size, iterations):
        """The profile, and the peak MiB of the process."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "profile.json"
            *_, mib = run(
                [self.unmar, "profile", "--size", f"{size}x{size}", "--preset", "paper"]
                + ["--iterations", iterations, "--threads", self.threads, "--json", file]
            )
            return json.loads(file.read_text()), mib

    # --- parts of the table ------------------------------------------------------------------

    def steps(self, size):
        say(f"one iteration at {size}x{size}")
        measured = {"ours": []}
        try:
            run(["/usr/bin/python3", "-c", "import torch"])
            measured.update({layout: [] for layout in LAYOUTS})
            missing = ""
        except (Failed, OSError):
            missing = "no python3-torch"
        for _ in range(self.rounds):
            measured["ours"].append(self.our_step(size, self.threads))
            for layout in LAYOUTS:
                if not missing:
                    measured[layout].append(self.torch_step(size, layout))
        result = {}
        for name, runs in measured.items():
            seconds = [r["seconds"] for r in runs]
            result[name] = {
                "median_seconds": statistics.median(seconds),
                "min_seconds": min(seconds),
                "max_seconds": max(seconds),
                "peak_mib": statistics.median(r["mib"] for r in runs),
            }
        ours = result["ours"]
        where = f"{size}x{size}, {self.threads} threads"
        if missing:
            self.row(f"one iteration, {where}", seconds_text(ours), missing)
            self.row(f"peak memory of the process, {where}", mib_text(ours["peak_mib"]), missing)
            return result
        layout = min(LAYOUTS, key=lambda name: result[name]["median_seconds"])
        best = result[layout]
        result["torch_best"] = layout
        result["faster"] = best["median_seconds"] / ours["median_seconds"]
        result["smaller"] = best["peak_mib"] / ours["peak_mib"]
        self.row(
            f"one iteration, {where}", seconds_text(ours), f"{seconds_text(best)}, {layout}",
            f"{result['faster']:.2f} x faster",
        )
        self.row(
            f"peak memory of the process, {where}", mib_text(ours["peak_mib"]),
            mib_text(best["peak_mib"]), f"{result['smaller']:.2f} x smaller",
        )
        return result

    def thread_gain(self, size=256):
        if self.threads < 2:
            return None
        say("threads")
        by_threads = {1: [], self.threads: []}
        for _ in range(self.rounds):
            for threads, seconds in by_threads.items():
                seconds.append(self.our_step(size, threads)["seconds"])
        medians = {threads: statistics.median(s) for threads, s in by_threads.items()}
        gain = medians[1] / medians[self.threads]
        self.row(
            f"1 thread and {self.threads}, {size}x{size}",
            f"{medians[1]:.3f} s, {medians[self.threads]:.3f} s", "", f"{gain:.2f} x faster",
        )
        return {"median_seconds": medians, "gain": gain}

    def memory(self):
        result = {}
        for size in (1024,) if self.quick else (1024, 1448, 2048):
            mpx = size * size / 1e6
            say(f"memory at {mpx:.1f} Mpx")
            try:
                _, mib = self.profile(size, 1)
            except Failed as error:
                self.row(f"memory at {mpx:.1f} Mpx, {size}x{size}", f"not measured: {error}")
                continue
            result[f"{size}x{size}"] = {"mpx": mpx, "peak_mib": mib, "mib_per_mpx": mib / mpx}
            self.row(
                f"memory at {mpx:.1f} Mpx, {size}x{size}",
                f"{mib:.0f} MiB, {mib / mpx:.0f} MiB/Mpx",
                f"about {TORCH_GB_PER_MPX} GB/Mpx, not measured",
            )
        return result

    def whole_process(self):
        say("a whole process")
        with tempfile.TemporaryDirectory() as folder:
            picture = pathlib.Path(folder) / "in.png"
            write_png(picture, 64)
            command = [self.unmar, "denoise", picture, "-o", pathlib.Path(folder) / "out.png"]
            command += ["--iterations", 1, "--threads", self.threads, "--quiet"]
            runs = [run(command) for _ in range(3 if self.quick else 9)]
        seconds = statistics.median(r[2] for r in runs)
        mib = statistics.median(r[3] for r in runs)
        self.row(
            "unmar denoise of 64x64, 1 iteration, quick", f"{seconds:.3f} s, {mib:.0f} MiB"
        )
        return {"median_seconds": seconds, "peak_mib": mib}

    def roofline(self, size=512):
        if self.quick:
            size = 256
        say("roofline")
        peaks = json.loads(run([self.programs / "bench_gemm", self.threads])[0])
        peak = peaks[str(self.threads)]
        profile, _ = self.profile(size, 2 if self.quick else 5)
        seconds = profile["seconds"]
        self.row(
            f"matrix product in cache, 1 thread and {self.threads}",
            f"{peaks['1']:.0f} and {peak:.0f} GFLOP/s",
        )
        kinds = []
        for kind in profile["kinds"]:
            own = kind["forward_seconds"] + kind["backward_seconds"]
            row = {"kind": kind["kind"], "share": own / seconds, "seconds": own}
            text = f"{100 * own / seconds:.1f} % of the time"
            if kind["product_flops"] > 0:
                row["gflops"] = kind["product_flops"] / own * 1e-9
                row["direct_gflops"] = kind["direct_flops"] / own * 1e-9
                row["of_peak"] = row["gflops"] / peak
                text += f", {row['gflops']:.0f} GFLOP/s done: {100 * row['of_peak']:.0f} % of that;"
                text += f" as direct convolution {row['direct_gflops']:.0f}"
            elif own > 0:
                row["gb_per_second"] = kind["traffic_bytes"] / own * 1e-9
                text += f", {row['gb_per_second']:.1f} GB/s"
            kinds.append(row)
            self.row(f"  {kind['kind']}, {size}x{size}", text)
        done = sum(k["product_flops"] for k in profile["kinds"])
        direct = sum(k["direct_flops"] for k in profile["kinds"])
        least = done * 1e-9 / peak
        self.row(
            f"arithmetic of an iteration, {size}x{size}",
            f"{done * 1e-9:.1f} GFLOP, {direct * 1e-9:.1f} as direct convolution",
        )
        self.row(
            "the products alone, at the speed above",
            f"{1e3 * least:.0f} of {1e3 * seconds:.0f} ms: {100 * least / seconds:.0f} %",
        )
        return {
            "size": size, "seconds": seconds, "gemm_gflops": peaks, "kinds": kinds,
            "product_flops": done, "direct_flops": direct, "products_share": least / seconds,
        }

    def instructions(self):
        if not shutil.which("valgrind"):
            self.row("instructions per value", "not counted: no valgrind")
            return None
        say("instructions")
        program = self.programs / "bench_passes"
        result = {}
        for line in run([program])[0].splitlines():
            name, values = line.split()
            try:
                _, errors, *_ = run(
                    ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
                    + ["--toggle-collect=measured_pass", program, name]
                )
            except Failed as error:
                self.row(f"instructions per value, {name}", f"not counted: {error}")
                continue
            count = int(re.search(r"Collected : (\d+)", errors).group(1))
            result[name] = count / int(values)
            # Valgrind runs what it knows of this CPU; 3.19 knows no AVX-512.
            self.row(f"instructions per value, {name}", f"{result[name]:.2f} (valgrind's CPU)")
        return result


def seconds_text(result):
    return (
        f"{result['median_seconds']:.3f} s "
        f"({result['min_seconds']:.3f} to {result['max_seconds']:.3f})"
    )


def mib_text(mib):
    return f"{mib:.0f} MiB"


def write_png(path, size):
    """A gray picture that is not flat."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + bytes((x * y + 7 * x) % 251 for x in range(size)) for y in range(size)
    )
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def facts(bench):
    def first_of(command):
        try:
            return run(command)[0].strip()
        except (Failed, OSError):
            return ""

    cpu = platform.processor() or platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    changed = first_of(["git", "-C", ROOT, "status", "--porcelain"])
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": first_of(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"])
        + (" with changes" if changed else ""),
        "threads": bench.threads,
        "rounds": bench.rounds,
        "quick": bench.quick,
        "versions": " ".join(first_of([bench.unmar, "info"]).split()),
    }


def print_table(rows):
    head = ("what", "Unmar", "PyTorch", "ratio")
    widths = [max(len(r[i]) for r in rows + [head]) for i in range(2)]
    for row in [head] + rows:
        print(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}  {row[3]}".rstrip())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="build folder")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and repetitions")
    parser.add_argument("--json", type=pathlib.Path, help="where to write all numbers")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: all cores")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default 5, quick 2)")
    arguments = parser.parse_args()
    if arguments.rounds is None:
        arguments.rounds = 2 if arguments.quick else 5
    if arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    return arguments


def main():
    arguments = parse_arguments()
    bench = Bench(arguments.build, arguments.threads, arguments.quick, arguments.rounds)
    result = {"facts": facts(bench)}
    try:
        result["step"] = {
            f"{size}x{size}": bench.steps(size)
            for size in ((256,) if arguments.quick else (256, 512))
        }
        result["threads"] = bench.thread_gain()
        result["memory"] = bench.memory()
        result["process"] = bench.whole_process()
        result["roofline"] = bench.roofline()
        result["instructions_per_value"] = bench.instructions()
    except (Failed, OSError) as error:
        sys.exit(f"bench: {error}")
    result["facts"]["torch"] = bench.torch
    for name, value in result["facts"].items():
        print(f"{name:<12} {value}")
    print()
    print_table(bench.rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
        say(f"wrote {arguments.json}")


if __name__ == "__main__":
    main()
