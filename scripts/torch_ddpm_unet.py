"""The noise predictor of Ho et al. 2020 in plain PyTorch, from the description in
include/unmar/models/ddpm_unet.h; its parameters have the names of diffusers.

A second opinion for scripts/make_golden_passes.py, and what bench/torch_unet.py measures.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class DdpmUnetOptions:
    """The keys of config.json; one string per level is "" or "Attn"."""

    in_channels: int = 3
    out_channels: int = 3
    center_input_sample: bool = False
    flip_sin_to_cos: bool = True
    freq_shift: float = 0
    down: tuple = ("", "Attn")
    up: tuple = ("Attn", "")
    block_out_channels: tuple = (8, 16)
    layers_per_block: int = 1
    downsample_padding: int = 1
    attention_head_dim: int = None
    norm_num_groups: int = 4
    norm_eps: float = 1e-6

    def to_dict(self):
        document = dataclasses.asdict(self)
        for direction in ("down", "up"):
            kinds = [f"{kind}{direction.title()}Block2D" for kind in document.pop(direction)]
            document[f"{direction}_block_types"] = kinds
        return document


def time_embedding(times, channels, flip_sin_to_cos, freq_shift):
    """times [n] -> [n,channels]."""
    half = channels // 2
    exponents = torch.arange(half, dtype=torch.float64, device=times.device) / (half - freq_shift)
    angles = times.double()[:, None] * 10000.0**-exponents
    waves = [torch.sin(angles), torch.cos(angles)]
    return torch.cat(waves[::-1] if flip_sin_to_cos else waves, dim=1).to(times.dtype)


class Resnet(nn.Module):
    def __init__(self, o, channels, out_channels):
        super().__init__()
        self.norm1 = nn.GroupNorm(o.norm_num_groups, channels, eps=o.norm_eps)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * o.block_out_channels[0], out_channels)
        self.norm2 = nn.GroupNorm(o.norm_num_groups, out_channels, eps=o.norm_eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = None
        if channels != out_channels:
            self.conv_shortcut = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if self.conv_shortcut else x)


class Attention(nn.Module):
    def __init__(self, o, channels):
        super().__init__()
        self.heads = channels // (o.attention_head_dim or channels)
        self.group_norm = nn.GroupNorm(o.norm_num_groups, channels, eps=o.norm_eps)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x, _):
        n, c, h, w = x.shape
        pixels = self.group_norm(x).reshape(n, c, h * w).transpose(1, 2)

        def heads(t):  # [n,pixels,c] -> [n,heads,pixels,d]
            return t.reshape(n, h * w, self.heads, c // self.heads).transpose(1, 2)

        q, k, v = (heads(f(pixels)) for f in (self.to_q, self.to_k, self.to_v))
        scores = q @ k.transpose(2, 3) / math.sqrt(c // self.heads)
        seen = (scores.softmax(dim=3) @ v).transpose(1, 2).reshape(n, h * w, c)
        return x + self.to_out[0](seen).transpose(1, 2).reshape(n, c, h, w)


class Downsample(nn.Module):
    def __init__(self, o, channels):
        super().__init__()
        self.padding = o.downsample_padding
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=self.padding)

    def forward(self, x):
        return self.conv(x if self.padding else F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Block(nn.Module):
    """Residual blocks from one width to the next, each with attention behind it or not."""

    def __init__(self, o, widths, out_channels, attention):
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(o, c, out_channels) for c in widths)
        if attention:
            self.attentions = nn.ModuleList(Attention(o, out_channels) for _ in widths)

    def layer(self, i, x, time):
        x = self.resnets[i](x, time)
        return self.attentions[i](x, time) if hasattr(self, "attentions") else x


class Middle(nn.Module):
    def __init__(self, o, channels):
        super().__init__()
        self.resnets = nn.ModuleList(Resnet(o, channels, channels) for _ in range(2))
        self.attentions = nn.ModuleList([Attention(o, channels)])

    def forward(self, x, time):
        for layer in (self.resnets[0], self.attentions[0], self.resnets[1]):
            x = layer(x, time)
        return x


class DdpmUnet(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o = o
        widths, layers = list(o.block_out_channels), o.layers_per_block
        levels = len(widths)
        self.conv_in = nn.Conv2d(o.in_channels, widths[0], 3, padding=1)
        self.time_embedding = nn.ModuleDict(
            {
                "linear_1": nn.Linear(widths[0], 4 * widths[0]),
                "linear_2": nn.Linear(4 * widths[0], 4 * widths[0]),
            }
        )

        skips, c = [widths[0]], widths[0]
        self.down_blocks = nn.ModuleList()
        for i, width in enumerate(widths):
            block = Block(o, [c] + [width] * (layers - 1), width, o.down[i])
            skips += [width] * layers
            if i + 1 < levels:
                block.downsamplers = nn.ModuleList([Downsample(o, width)])
                skips.append(width)
            self.down_blocks.append(block)
            c = width
        self.mid_block = Middle(o, c)
        self.up_blocks = nn.ModuleList()
        for i, width in enumerate(reversed(widths)):
            sources = []
            for _ in range(layers + 1):
                sources.append(c + skips.pop())
                c = width
            block = Block(o, sources, width, o.up[i])
            if i + 1 < levels:
                block.upsamplers = nn.ModuleList([Upsample(width)])
            self.up_blocks.append(block)
        self.conv_norm_out = nn.GroupNorm(o.norm_num_groups, c, eps=o.norm_eps)
        self.conv_out = nn.Conv2d(c, o.out_channels, 3, padding=1)

    def forward(self, x, times):
        """times: [n,1,1,1]."""
        o = self.o
        time = time_embedding(
            times.flatten(), o.block_out_channels[0], o.flip_sin_to_cos, o.freq_shift
        )
        time = self.time_embedding["linear_2"](F.silu(self.time_embedding["linear_1"](time)))
        x = self.conv_in(2 * x - 1 if o.center_input_sample else x)
        skips = [x]
        for block in self.down_blocks:
            for i in range(o.layers_per_block):
                skips.append(x := block.layer(i, x, time))
            if hasattr(block, "downsamplers"):
                skips.append(x := block.downsamplers[0](x))
        x = self.mid_block(x, time)
        for block in self.up_blocks:
            for i in range(o.layers_per_block + 1):
                x = block.layer(i, torch.cat([x, skips.pop()], dim=1), time)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))
