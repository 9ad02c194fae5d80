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
import platform
import subprocess
import sys

from torch_timing import LAYOUTS, in_words, memory_format, start_torch, timed


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
    torch = start_torch(arguments.threads)
    from torch_skip import Skip, SkipOptions

    height, width = arguments.size[0], arguments.size[-1]
    layout = memory_format(torch, arguments.layout)
    network = Skip(32, 3, SkipOptions()).to(memory_format=layout)
    z = (0.1 * torch.rand(1, 32, height, width)).to(memory_format=layout)
    y = torch.rand(1, 3, height, width).to(memory_format=layout)
    noise = torch.empty_like(z)
    adam = torch.optim.Adam(network.parameters(), lr=0.01)

    def step():
        adam.zero_grad()
        out = network(z + noise.normal_() / 30)
        loss = torch.nn.functional.mse_loss(out, y)
        loss.backward()
        adam.step()
        loss.item()

    return {
        **timed(torch, step, arguments),
        "height": height,
        "width": width,
        "parameters": sum(p.numel() for p in network.parameters()),
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
        print(in_words(r, f"{r['height']}x{r['width']}"))


if __name__ == "__main__":
    main()
