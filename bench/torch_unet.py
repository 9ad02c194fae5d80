#!/usr/bin/env python3
"""Times one update of a noise predictor in PyTorch, eager: what Unmar's trainer is measured against.

    /usr/bin/python3 bench/torch_unet.py --widths 64 128 128 --channels 3 --size 32 --batch 16

One update is: forward, mean squared error, zero_grad, backward, clipping of the gradients' norm,
Adam step, average of the weights, and the loss read back. The network is that of bench_unet.cpp.
Each memory layout runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

LAYOUTS = ("contiguous", "channels_last")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 128])
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=2, help="updates before the timed ones")
    parser.add_argument("--runs", type=int, default=5, help="timed updates")
    parser.add_argument("--layout", choices=LAYOUTS, help="only this one; default: both")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    return parser.parse_args()


def measure(arguments):
    # PyTorch reads this when it is imported.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))
    import torch
    from torch_ddpm_unet import DdpmUnet, DdpmUnetOptions

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    levels = len(arguments.widths)
    attention = ["Attn" if level == 1 else "" for level in range(levels)]
    options = DdpmUnetOptions(
        in_channels=arguments.channels,
        out_channels=arguments.channels,
        flip_sin_to_cos=False,
        freq_shift=1,
        down=attention,
        up=attention[::-1],
        block_out_channels=arguments.widths,
        downsample_padding=0,
        norm_num_groups=16,
    )
    layout = (
        torch.channels_last if arguments.layout == "channels_last" else torch.contiguous_format
    )
    network = DdpmUnet(options).to(memory_format=layout)
    shape = (arguments.batch, arguments.channels, arguments.size, arguments.size)
    noisy = torch.randn(shape).to(memory_format=layout)
    target = torch.randn(shape).to(memory_format=layout)
    timesteps = torch.randint(1000, (arguments.batch, 1, 1, 1)).float()
    weights = list(network.parameters())
    averages = [w.detach().clone() for w in weights]
    adam = torch.optim.Adam(weights, lr=2e-4)

    seconds = []
    for _ in range(arguments.warmup + arguments.runs):
        begin = time.perf_counter()
        loss = torch.nn.functional.mse_loss(network(noisy, timesteps), target)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        with torch.no_grad():
            for average, weight in zip(averages, weights):
                average.lerp_(weight, 1e-4)
        loss.item()
        seconds.append(time.perf_counter() - begin)
    timed = seconds[arguments.warmup :]
    return {
        "program": f"PyTorch {torch.__version__} eager",
        "layout": arguments.layout,
        "widths": arguments.widths,
        "shape": shape,
        "threads": arguments.threads,
        "parameters": sum(w.numel() for w in weights),
        "runs": len(timed),
        "median_seconds": round(statistics.median(timed), 4),
        "min_seconds": round(min(timed), 4),
        "max_seconds": round(max(timed), 4),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def main():
    arguments = parse_arguments()
    if not arguments.layout:
        for layout in LAYOUTS:
            command = [sys.executable, __file__, *sys.argv[1:], "--layout", layout]
            subprocess.run(command, check=True)
        return
    r = measure(arguments)
    if arguments.json:
        print(json.dumps(r))
        return
    print(
        f"{r['program']} {r['layout']:13} {r['widths']} on {r['shape']}, {r['threads']} threads: "
        f"median {r['median_seconds']:.3f} s of {r['runs']} "
        f"({r['min_seconds']:.3f} to {r['max_seconds']:.3f}), peak {r['peak_rss_mb']:.0f} MB"
    )


if __name__ == "__main__":
    main()
