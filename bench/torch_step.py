#!/usr/bin/env python3
"""Times one iteration of Deep Image Prior in PyTorch, eager: what Unmar is measured against.

    /usr/bin/python3 bench/torch_step.py --size 256 --runs 10 --json

One iteration is what the notebooks of the paper do: jitter of the input, forward, mean squared
error, zero_grad, backward, Adam step, and the loss read back. The network is the standard one: 5
scales of 128 channels, skips of 4, 32 input channels, reflection padding, bilinear. Each memory
layout runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

LAYOUTS = ("contiguous", "channels_last")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=[256], help="height [and width]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=3, help="iterations before the timed ones")
    parser.add_argument("--runs", type=int, default=10, help="timed iterations")
    parser.add_argument("--layout", choices=LAYOUTS, help="only this one; default: both")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    arguments = parser.parse_args()
    if len(arguments.size) > 2:
        parser.error("--size takes one or two numbers")
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    return arguments


def measure(arguments):
    # PyTorch reads this when it is imported.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))
    import torch
    from torch_skip import Skip, SkipOptions

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    height, width = arguments.size[0], arguments.size[-1]
    layout = (
        torch.channels_last if arguments.layout == "channels_last" else torch.contiguous_format
    )
    network = Skip(32, 3, SkipOptions()).to(memory_format=layout)
    z = (0.1 * torch.rand(1, 32, height, width)).to(memory_format=layout)
    y = torch.rand(1, 3, height, width).to(memory_format=layout)
    noise = torch.empty_like(z)
    adam = torch.optim.Adam(network.parameters(), lr=0.01)

    seconds = []
    for _ in range(arguments.warmup + arguments.runs):
        begin = time.perf_counter()
        adam.zero_grad()
        out = network(z + noise.normal_() / 30)
        loss = torch.nn.functional.mse_loss(out, y)
        loss.backward()
        adam.step()
        loss.item()
        seconds.append(time.perf_counter() - begin)
    timed = seconds[arguments.warmup :]
    return {
        "program": f"PyTorch {torch.__version__} eager",
        "layout": arguments.layout,
        "height": height,
        "width": width,
        "threads": arguments.threads,
        "parameters": sum(p.numel() for p in network.parameters()),
        "runs": len(timed),
        "median_seconds": round(statistics.median(timed), 4),
        "min_seconds": round(min(timed), 4),
        "max_seconds": round(max(timed), 4),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "machine": platform.machine(),
    }


def measure_in_own_process(arguments, layout):
    command = [sys.executable, __file__, "--json", "--layout", layout]
    command += ["--size", *map(str, arguments.size)]
    for option in ("threads", "warmup", "runs"):
        command += [f"--{option}", str(getattr(arguments, option))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)[0]


def main():
    arguments = parse_arguments()
    if arguments.layout:
        results = [measure(arguments)]
    else:
        results = [measure_in_own_process(arguments, layout) for layout in LAYOUTS]
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    for r in results:
        print(
            f"{r['program']} {r['layout']:13} {r['height']}x{r['width']} {r['threads']} threads: "
            f"median {r['median_seconds']:.3f} s of {r['runs']} "
            f"({r['min_seconds']:.3f} to {r['max_seconds']:.3f}), peak {r['peak_rss_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main()
