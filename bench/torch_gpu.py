#!/usr/bin/env python3
"""PyTorch's time per iteration of the standard network, to set beside that of the engine `cuda`.

    torch_gpu.py [--cases 512:eager,512:compiled] [--count 30] [--json FILE]

One iteration is fresh jitter, forward, mean squared error, backward, Adam. Modes: eager,
channels_last, compiled and bf16_compiled (with CUDA graphs; the latter with bf16 autocast); all but
the last with tf32. Without a card it runs eagerly on the CPU, to check the script.
"""

import argparse
import json
import time

import torch
from torch import nn
from torch.nn import functional as F


def conv(i, o, kernel, stride=1):
    pad = [nn.ReflectionPad2d(kernel // 2)] if kernel > 1 else []
    return [*pad, nn.Conv2d(i, o, kernel, stride)]


def block(i, o, kernel, stride=1):
    return nn.Sequential(*conv(i, o, kernel, stride), nn.BatchNorm2d(o), nn.LeakyReLU(0.2))


class Scale(nn.Module):
    """One scale with all below it: a skip branch beside down, deeper, up; joined and convolved."""

    def __init__(self, inputs, depth, channels=128, skip=4):
        super().__init__()
        self.skip = block(inputs, skip, 1)
        self.down = nn.Sequential(block(inputs, channels, 3, 2), block(channels, channels, 3))
        self.deeper = Scale(channels, depth - 1, channels, skip) if depth > 1 else nn.Identity()
        self.norm = nn.BatchNorm2d(skip + channels)
        self.up = nn.Sequential(block(skip + channels, channels, 3), block(channels, channels, 1))

    def forward(self, x):
        deep = F.interpolate(self.deeper(self.down(x)), scale_factor=2, mode="bilinear")
        return self.up(self.norm(torch.cat([self.skip(x), deep], 1)))


def milliseconds(size, device, bf16, compiled, layout, count):
    torch.manual_seed(0)
    net = nn.Sequential(Scale(32, 5), nn.Conv2d(128, 3, 1), nn.Sigmoid())
    net = net.to(device, memory_format=layout)
    z = (torch.rand(1, 32, size, size, device=device) * 0.1).to(memory_format=layout)
    y = torch.rand(1, 3, size, size, device=device).to(memory_format=layout)
    on_card = device == "cuda"
    adam = torch.optim.Adam(net.parameters(), lr=0.01, fused=on_card)

    def loss():
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            x = net(z + torch.randn_like(z) / 30)
        return F.mse_loss(x.float(), y)

    if compiled:
        loss = torch.compile(loss, mode="reduce-overhead")

    def step():
        adam.zero_grad(set_to_none=True)
        loss().backward()
        adam.step()

    wait = torch.cuda.synchronize if on_card else lambda: None
    for _ in range(5 if on_card else 1):
        step()
    rounds = []
    for _ in range(3):
        wait()
        start = time.perf_counter()
        for _ in range(count):
            step()
        wait()
        rounds.append(1000 * (time.perf_counter() - start) / count)
    return sorted(rounds)[1]


MODES = {  # bf16, compiled, layout
    "eager": (False, False, torch.contiguous_format),
    "channels_last": (False, False, torch.channels_last),
    "compiled": (False, True, torch.channels_last),
    "bf16_compiled": (True, True, torch.channels_last),
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cases", default="")
    arguments.add_argument("--count", type=int, default=30)
    arguments.add_argument("--json")
    a = arguments.parse_args()
    on_card = torch.cuda.is_available()
    device = "cuda" if on_card else "cpu"
    everything = ",".join(f"{size}:{mode}" for size in (512, 256, 1024) for mode in MODES)
    cases = a.cases or (everything if on_card else "64:eager")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    rows = []
    for case in cases.split(","):
        size, mode = int(case.split(":")[0]), case.split(":")[1]
        ms = milliseconds(size, device, *MODES[mode], a.count if on_card else 1)
        peak = torch.cuda.max_memory_allocated() >> 20 if on_card else 0
        row = {"what": "step", "engine": f"torch {mode}", "size": size, "ms": ms, "MiB": peak}
        rows.append(row)
        print(f"{mode:14} {size:5} {ms:9.3f} ms {peak:6} MiB", flush=True)
        if on_card:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        if a.json:
            with open(a.json, "w", encoding="utf-8") as file:
                json.dump({"torch": torch.__version__, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
