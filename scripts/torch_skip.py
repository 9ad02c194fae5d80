"""The skip network of "Deep Image Prior" (Ulyanov et al., CVPR 2018) in plain PyTorch.

The independent second opinion for the C++ network: make_fixtures.py and make_golden_passes.py take
golden values from it and bench/torch_step.py times it. Written from the description of the
architecture. Options and parameter names are those of include/unmar/models/models.h and
src/models/skip.cpp.

With n scales, 0 the finest, scale i maps x [N,C,h,w] to [N,up[i],h,w]:

    s = act(norm(conv(x)))                           skip branch, only if skip[i] > 0
    d = act(norm(down-sampling conv(x)))             half the size
    d = act(norm(conv(d)))
    d = scale i+1 of d                               unless i is the deepest
    d = up-sample(d, 2)
    m = norm(concat(s, d))                           both centre-cropped to the smaller size
    m = act(norm(conv(m)))
    m = act(norm(1x1 conv(m)))                       only if one_by_one_up

and a 1x1 convolution and a sigmoid follow scale 0. skip_mode "add" gives s the channels of d and
takes s + d, d cropped to s; "none" leaves s out. Norms always use the statistics of the tensor at
hand.
"""

import dataclasses

import torch
from torch import nn

from torch_layers import (
    Block,
    Head,
    center_crop,
    make_downsample,
    make_norm,
    make_upsample,
    match_size,
)


@dataclasses.dataclass
class SkipOptions:
    """Field for field the SkipOptions of include/unmar/models/models.h; enumerators are strings."""

    down: list = dataclasses.field(default_factory=lambda: [128] * 5)
    up: list = dataclasses.field(default_factory=lambda: [128] * 5)
    skip: list = dataclasses.field(default_factory=lambda: [4] * 5)
    kernel_down: list = dataclasses.field(default_factory=lambda: [3])
    kernel_up: list = dataclasses.field(default_factory=lambda: [3])
    kernel_skip: int = 1
    border: str = "reflect"  # zero | reflect
    # stride | max | average | area | bilinear | lanczos2 | lanczos3
    downsample: str = "stride"
    # nearest | bilinear | bicubic | transposed | pixel_shuffle
    upsample: list = dataclasses.field(default_factory=lambda: ["bilinear"])
    align_corners: bool = False
    skip_mode: str = "concat"  # concat | add | none
    norm: str = "batch"  # batch | instance | group | none
    activation: str = "leaky_relu"  # leaky_relu | relu | elu | silu | gelu | tanh | sigmoid | none
    one_by_one_up: bool = True
    sigmoid: bool = True
    bias: bool = True


def of_scale(values, i):
    return values[0] if len(values) == 1 else values[i]


class Scale(nn.Module):
    """Scale i without those below it, which forward() gets as a function."""

    def __init__(self, options, i, channels):
        super().__init__()
        deeper = options.down[i] if i + 1 == len(options.down) else options.up[i + 1]
        kernel_down = of_scale(options.kernel_down, i)
        skips = options.skip[i] > 0 and options.skip_mode != "none"
        self.adds = options.skip_mode == "add"
        skip_channels = deeper if self.adds else options.skip[i]
        joined = deeper + (skip_channels if skips and not self.adds else 0)

        # Resizing comes before the convolution, what drops an odd row comes behind it.
        resizes = options.downsample in ("area", "bilinear")
        halve = make_downsample(options.downsample)
        stride = 2 if options.downsample == "stride" else 1

        self.skip = Block(options, channels, skip_channels, options.kernel_skip) if skips else None
        self.before = halve if resizes else nn.Identity()
        between = None if resizes else halve
        self.down0 = Block(options, channels, options.down[i], kernel_down, stride, between)
        self.down1 = Block(options, options.down[i], options.down[i], kernel_down)
        self.upsample = make_upsample(
            of_scale(options.upsample, i), deeper, deeper, options.align_corners
        )
        self.concat = nn.ModuleDict({"norm": make_norm(options.norm, joined)})
        self.up = Block(options, joined, options.up[i], of_scale(options.kernel_up, i))
        self.up1x1 = (
            Block(options, options.up[i], options.up[i], 1)
            if options.one_by_one_up
            else nn.Identity()
        )

    def forward(self, x, below):
        deeper = self.upsample(below(self.down1(self.down0(self.before(x)))))
        return self.up1x1(self.up(self.concat["norm"](self._join(x, deeper))))

    def _join(self, x, deeper):
        if self.skip is None:
            return deeper
        skip = self.skip(x)
        if self.adds:
            return skip + match_size(deeper, *skip.shape[2:])
        h = min(skip.shape[2], deeper.shape[2])
        w = min(skip.shape[3], deeper.shape[3])
        return torch.cat([center_crop(skip, h, w), center_crop(deeper, h, w)], dim=1)


class Skip(nn.Module):
    def __init__(self, in_channels, out_channels, options):
        super().__init__()
        self.depth = len(options.down)
        for i in range(self.depth):
            channels = in_channels if i == 0 else options.down[i - 1]
            self.add_module(f"scale{i}", Scale(options, i, channels))
        self.head = Head(options, options.up[0], out_channels, bias=options.bias)

    def _scale(self, i, x):
        if i == self.depth:
            return x
        return getattr(self, f"scale{i}")(x, lambda d: self._scale(i + 1, d))

    def forward(self, z):
        return self.head(self._scale(0, z))
