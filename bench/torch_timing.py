"""What the PyTorch benchmarks share: how a step is timed, and how the result is told."""

import os
import pathlib
import resource
import statistics
import sys
import time

LAYOUTS = ("contiguous", "channels_last")


def start_torch(threads):
    """PyTorch with so many threads, which it reads when it is imported, and seed 0."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch


def memory_format(torch, layout):
    return torch.channels_last if layout == "channels_last" else torch.contiguous_format


def timed(torch, step, arguments):
    """Calls step() arguments.warmup times, then arguments.runs times with a clock."""
    seconds = []
    for _ in range(arguments.warmup + arguments.runs):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    seconds = seconds[arguments.warmup :]
    return {
        "program": f"PyTorch {torch.__version__} eager",
        "layout": arguments.layout,
        "threads": arguments.threads,
        "runs": len(seconds),
        "median_seconds": round(statistics.median(seconds), 4),
        "min_seconds": round(min(seconds), 4),
        "max_seconds": round(max(seconds), 4),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def in_words(result, what):
    r = result
    return (
        f"{r['program']} {r['layout']:13} {what} {r['threads']} threads: "
        f"median {r['median_seconds']:.3f} s of {r['runs']} "
        f"({r['min_seconds']:.3f} to {r['max_seconds']:.3f}), peak {r['peak_rss_mb']:.0f} MB"
    )
