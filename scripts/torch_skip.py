"""The skip network of "Deep Image Prior" (Ulyanov et al., CVPR 2018) in plain PyTorch.

The independent second opinion for the C++ network: make_fixtures.py takes golden values from it and
bench/torch_step.py times it. Written from the description of the architecture. Options and
parameter names are those of include/unmar/models.h and src/models/skip.cpp.

With n scales, 0 the finest, scale i maps x [N,C,h,w] to [N,up[i],h,w]:

    s = act(norm(conv(x)))                           skip branch, only if skip[i] > 0
    d = act(norm(down-sampling conv(x)))             half the size
    d = act(norm(conv(d)))
    d = scale i+1 of d                               unless i is the deepest
    d = up-sample(d, 2)
    m = norm(concat(s, d))                           both centre-cropped to the smaller size
    m = act(norm(conv(m)))
    m = act(norm(1x1 conv(m)))                       only if one_by_one_up

and a 1x1 convolution and a sigmoid follow scale 0. Norms always use the statistics of the tensor at
hand.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class SkipOptions:
    """Field for field the SkipOptions of include/unmar/models.h; enumerators are strings."""

    down: list = dataclasses.field(default_factory=lambda: [128] * 5)
    up: list = dataclasses.field(default_factory=lambda: [128] * 5)
    skip: list = dataclasses.field(default_factory=lambda: [4] * 5)
    kernel_down: list = dataclasses.field(default_factory=lambda: [3])
    kernel_up: list = dataclasses.field(default_factory=lambda: [3])
    kernel_skip: int = 1
    border: str = "reflect"  # zero | reflect
    downsample: str = "stride"  # stride | average | max | lanczos2 | lanczos3
    upsample: list = dataclasses.field(default_factory=lambda: ["bilinear"])  # nearest | bilinear
    activation: str = "leaky_relu"  # leaky_relu | elu | silu | none
    one_by_one_up: bool = True
    sigmoid: bool = True
    bias: bool = True


def lanczos_taps(lobes, factor):
    """Taps of one dimension: lobes * factor on either side of the half-pixel centre; sum 1."""
    count = 2 * lobes * factor
    taps = []
    for k in range(count):
        x = math.pi * abs(k - (count - 1) / 2) / factor  # never 0: the count is even
        taps.append(math.sin(x) / x * math.sin(x / lobes) / (x / lobes))
    return [t / sum(taps) for t in taps]


class Reduce(nn.Module):
    """Lanczos low-pass and decimation of each channel, phase 0.5, replicated border."""

    def __init__(self, lobes, factor):
        super().__init__()
        self.factor = factor
        taps = torch.tensor(lanczos_taps(lobes, factor), dtype=torch.float64)
        self.kernel = torch.outer(taps, taps)

    def forward(self, x):
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        border = (self.kernel.shape[0] - self.factor) // 2
        x = F.pad(x, [border] * 4, mode="replicate")
        return F.conv2d(x, kernel, stride=self.factor, groups=channels)


def make_activation(kind):
    return {
        "leaky_relu": lambda: nn.LeakyReLU(0.2, inplace=True),
        "elu": nn.ELU,
        "silu": nn.SiLU,
        "none": nn.Identity,
    }[kind]()


def make_downsampler(mode):
    return {
        "stride": nn.Identity,
        "average": lambda: nn.AvgPool2d(2),
        "max": lambda: nn.MaxPool2d(2),
        "lanczos2": lambda: Reduce(2, 2),
        "lanczos3": lambda: Reduce(3, 2),
    }[mode]()


def center_crop(x, h, w):
    top = (x.shape[2] - h) // 2
    left = (x.shape[3] - w) // 2
    return x[:, :, top : top + h, left : left + w]


class Skip(nn.Module):
    def __init__(self, in_channels, out_channels, options):
        super().__init__()
        self.options = options
        self.nodes = nn.ModuleDict()  # "scale0/down0/conv" and so on; a key may not hold a dot
        scales = len(options.down)
        for i in range(scales):
            channels = in_channels if i == 0 else options.down[i - 1]
            deeper = options.down[i] if i + 1 == scales else options.up[i + 1]
            kernel_down = self._of_scale(options.kernel_down, i)
            kernel_up = self._of_scale(options.kernel_up, i)
            if options.skip[i] > 0:
                self._add_block(f"scale{i}/skip", channels, options.skip[i], options.kernel_skip)
            self._add_block(f"scale{i}/down0", channels, options.down[i], kernel_down, halve=True)
            self._add_block(f"scale{i}/down1", options.down[i], options.down[i], kernel_down)
            self.nodes[f"scale{i}/concat/norm"] = nn.BatchNorm2d(options.skip[i] + deeper)
            self._add_block(f"scale{i}/up", options.skip[i] + deeper, options.up[i], kernel_up)
            if options.one_by_one_up:
                self._add_block(f"scale{i}/up1x1", options.up[i], options.up[i], 1)
        self._add_conv("head", options.up[0], out_channels, 1, stride=1)

    @staticmethod
    def _of_scale(values, i):
        return values[0] if len(values) == 1 else values[i]

    def _add_conv(self, name, in_channels, out_channels, kernel, stride):
        border = (kernel - 1) // 2
        reflect = self.options.border == "reflect" and border > 0
        self.nodes[f"{name}/pad"] = nn.ReflectionPad2d(border) if reflect else nn.Identity()
        self.nodes[f"{name}/conv"] = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=0 if reflect else border,
            bias=self.options.bias,
        )

    def _add_block(self, name, in_channels, out_channels, kernel, halve=False):
        strided = halve and self.options.downsample == "stride"
        self._add_conv(name, in_channels, out_channels, kernel, stride=2 if strided else 1)
        self.nodes[f"{name}/halve"] = (
            make_downsampler(self.options.downsample) if halve else nn.Identity()
        )
        self.nodes[f"{name}/norm"] = nn.BatchNorm2d(out_channels)
        self.nodes[f"{name}/act"] = make_activation(self.options.activation)

    def _block(self, name, x):
        for step in ("pad", "conv", "halve", "norm", "act"):
            x = self.nodes[f"{name}/{step}"](x)
        return x

    def _scale(self, i, x):
        options = self.options
        deeper = self._block(f"scale{i}/down0", x)
        deeper = self._block(f"scale{i}/down1", deeper)
        if i + 1 < len(options.down):
            deeper = self._scale(i + 1, deeper)
        mode = self._of_scale(options.upsample, i)
        corners = False if mode == "bilinear" else None
        deeper = F.interpolate(deeper, scale_factor=2, mode=mode, align_corners=corners)
        if options.skip[i] > 0:
            skip = self._block(f"scale{i}/skip", x)
            h = min(skip.shape[2], deeper.shape[2])
            w = min(skip.shape[3], deeper.shape[3])
            deeper = torch.cat([center_crop(skip, h, w), center_crop(deeper, h, w)], dim=1)
        x = self.nodes[f"scale{i}/concat/norm"](deeper)
        x = self._block(f"scale{i}/up", x)
        if options.one_by_one_up:
            x = self._block(f"scale{i}/up1x1", x)
        return x

    def forward(self, z):
        x = self._scale(0, z)
        x = self.nodes["head/conv"](self.nodes["head/pad"](x))
        return torch.sigmoid(x) if self.options.sigmoid else x

    def named_tensors(self):
        """(name, parameter) with the names of the C++ graph, as "scale0.down0.conv.weight"."""
        for key, node in self.nodes.items():
            norm = isinstance(node, nn.BatchNorm2d)
            for name, parameter in node.named_parameters():
                if norm:
                    name = {"weight": "gamma", "bias": "beta"}[name]
                yield f"{key.replace('/', '.')}.{name}", parameter
