#!/usr/bin/env python3
"""Times one update of a noise predictor in PyTorch, eager: what Unmar's trainer is measured against.

    /usr/bin/python3 bench/torch_unet.py --widths 64 128 128 --channels 3 --size 32 --batch 16

--device cuda takes a card, and tf32 there.

One update is: forward, mean squared error, zero_grad, backward, clipping of the gradients' norm,
Adam step, average of the weights, and the loss read back. The network is that of bench_unet.cpp.
Each memory layout runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import subprocess
import sys

from torch_timing import LAYOUTS, in_words, memory_format, start_torch, timed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 128])
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--warmup", type=int, default=2, help="updates before the timed ones")
    parser.add_argument("--runs", type=int, default=5, help="timed updates")
    parser.add_argument("--layout", choices=LAYOUTS, help="only this one; default: both")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    return parser.parse_args()


def measure(arguments):
    torch = start_torch(arguments.threads)
    from torch_ddpm_unet import DdpmUnet, DdpmUnetOptions

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
    layout = memory_format(torch, arguments.layout)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = arguments.device
    network = DdpmUnet(options).to(device, memory_format=layout)
    shape = (arguments.batch, arguments.channels, arguments.size, arguments.size)
    noisy = torch.randn(shape).to(device, memory_format=layout)
    target = torch.randn(shape).to(device, memory_format=layout)
    timesteps = torch.randint(1000, (arguments.batch, 1, 1, 1)).float().to(device)
    weights = list(network.parameters())
    averages = [w.detach().clone() for w in weights]
    fused = {"fused": True} if device == "cuda" else {}
    adam = torch.optim.Adam(weights, lr=2e-4, **fused)

    def update():
        loss = torch.nn.functional.mse_loss(network(noisy, timesteps), target)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        with torch.no_grad():
            for average, weight in zip(averages, weights):
                average.lerp_(weight, 1e-4)
        loss.item()

    return {
        **timed(torch, update, arguments),
        "widths": arguments.widths,
        "shape": shape,
        "parameters": sum(w.numel() for w in weights),
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
    print(in_words(r, f"{r['widths']} on {r['shape']},"))


if __name__ == "__main__":
    main()
