"""The layers of the networks in plain PyTorch, for torch_skip.py and torch_networks.py.

Enumerators are the strings of a network file. Options are any object with the fields of a network:
norm, activation, border, bias. Norms always use the statistics of the tensor at hand.
"""

import collections
import math

import torch
import torch.nn.functional as F
from torch import nn

NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)


def resize(x, h, w, kind, align_corners=False):
    if kind in ("nearest", "area"):
        return F.interpolate(x, size=(h, w), mode=kind)
    if align_corners:
        return F.interpolate(x, size=(h, w), mode=kind, align_corners=True)
    # antialias widens the kernel when reducing and makes bicubic Keys' with a = -0.5. Bilinear
    # enlargement is the same without it, and faster: bench/torch_step.py must not be held back.
    antialias = kind == "bicubic" or h < x.shape[2] or w < x.shape[3]
    return F.interpolate(x, size=(h, w), mode=kind, align_corners=False, antialias=antialias)


def center_crop(x, h, w):
    top = (x.shape[2] - h) // 2
    left = (x.shape[3] - w) // 2
    return x[:, :, top : top + h, left : left + w]


def center_pad(x, h, w):
    top = (h - x.shape[2]) // 2
    left = (w - x.shape[3]) // 2
    return F.pad(x, [left, w - x.shape[3] - left, top, h - x.shape[2] - top])


def match_size(x, h, w):
    """x cropped and padded about its centre."""
    x = center_crop(x, min(h, x.shape[2]), min(w, x.shape[3]))
    return center_pad(x, h, w)


def lanczos(x, lobes):
    if x == 0:
        return 1.0
    x *= math.pi
    return math.sin(x) / x * math.sin(x / lobes) / (x / lobes)


def keys(x, a=-0.5):
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4)


def reduce_taps(kernel, factor):
    """Taps of one dimension, symmetric about the centre of a destination pixel; sum 1."""
    reach, weight = {
        "lanczos2": (2, lambda x: lanczos(x, 2)),
        "lanczos3": (3, lambda x: lanczos(x, 3)),
        "bicubic": (2, keys),
        "box": (0.5, lambda x: 1.0),
    }[kernel]
    # Distances from the centre in source pixels: whole ones for odd factors, else halves.
    distances = [d / 2 for d in range(1 - factor % 2, math.ceil(2 * reach * factor), 2)]
    distances = sorted({-d for d in distances} | set(distances))
    taps = [weight(d / factor) for d in distances]
    return [t / sum(taps) for t in taps]


class Reduce(nn.Module):
    """Low-pass and decimation of each channel, phase 0.5, replicated border."""

    def __init__(self, kernel, factor):
        super().__init__()
        self.factor = factor
        taps = torch.tensor(reduce_taps(kernel, factor), dtype=torch.float64)
        self.kernel = torch.outer(taps, taps)

    def forward(self, x):
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        border = (self.kernel.shape[0] - self.factor) // 2
        rows, columns = (side // self.factor for side in x.shape[2:])
        x = F.pad(x, [border] * 4, mode="replicate")
        x = F.conv2d(x, kernel, stride=self.factor, groups=channels)
        return x[:, :, :rows, :columns]


class Halve(nn.Module):
    """Resized to the half, rounded up."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        return resize(x, (x.shape[2] + 1) // 2, (x.shape[3] + 1) // 2, self.kind)


class Double(nn.Module):
    def __init__(self, kind, align_corners):
        super().__init__()
        self.kind, self.align_corners = kind, align_corners and kind == "bilinear"

    def forward(self, x):
        return resize(x, 2 * x.shape[2], 2 * x.shape[3], self.kind, self.align_corners)


def make_downsample(mode):
    return {
        "stride": nn.Identity,
        "average": lambda: nn.AvgPool2d(2),
        "max": lambda: nn.MaxPool2d(2),
        "area": lambda: Halve("area"),
        "bilinear": lambda: Halve("bilinear"),
        "lanczos2": lambda: Reduce("lanczos2", 2),
        "lanczos3": lambda: Reduce("lanczos3", 2),
    }[mode]()


def learns(upsample):
    return upsample in ("transposed", "pixel_shuffle")


def make_upsample(mode, channels, out_channels, align_corners):
    if mode == "transposed":
        return nn.ConvTranspose2d(channels, out_channels, 2, stride=2)
    if mode == "pixel_shuffle":
        conv = nn.Conv2d(channels, 4 * out_channels, 3, padding=1)
        shuffle = nn.PixelShuffle(2)
        return nn.Sequential(collections.OrderedDict(conv=conv, shuffle=shuffle))
    return Double(mode, align_corners)


def make_norm(kind, channels):
    return {
        "batch": lambda: nn.BatchNorm2d(channels),
        "instance": lambda: nn.InstanceNorm2d(channels, affine=True, track_running_stats=False),
        "group": lambda: nn.GroupNorm(math.gcd(channels, 8), channels),
        "none": nn.Identity,
    }[kind]()


def make_activation(kind):
    return {
        "relu": lambda: nn.ReLU(inplace=True),
        "leaky_relu": lambda: nn.LeakyReLU(0.2, inplace=True),
        "elu": nn.ELU,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "none": nn.Identity,
    }[kind]()


def make_conv(channels, out_channels, kernel, stride, border, bias):
    return nn.Conv2d(
        channels,
        out_channels,
        kernel,
        stride,
        padding=(kernel - 1) // 2,
        padding_mode={"zero": "zeros", "reflect": "reflect"}[border if kernel > 1 else "zero"],
        bias=bias,
    )


class Block(nn.Module):
    """Convolution, norm, activation; `between` comes before the norm."""

    def __init__(self, options, channels, out_channels, kernel, stride=1, between=None):
        super().__init__()
        self.conv = make_conv(channels, out_channels, kernel, stride, options.border, options.bias)
        self.between = between or nn.Identity()
        self.norm = make_norm(options.norm, out_channels)
        self.act = make_activation(options.activation)

    def forward(self, x):
        return self.act(self.norm(self.between(self.conv(x))))


class Head(nn.Module):
    """Convolution to the channels of the picture and, if wanted, a sigmoid."""

    def __init__(self, options, channels, out_channels, kernel=1, bias=True):
        super().__init__()
        border = getattr(options, "border", "zero")
        self.conv = make_conv(channels, out_channels, kernel, 1, border, bias)
        self.sigmoid = nn.Sigmoid() if options.sigmoid else nn.Identity()

    def forward(self, x):
        return self.sigmoid(self.conv(x))


def named_tensors(module):
    """(name, parameter) with the names of the C++ graph, as "scale0.down0.norm.gamma"."""
    for path, layer in module.named_modules():
        for name, parameter in layer.named_parameters(recurse=False):
            if isinstance(layer, NORMS):
                name = {"weight": "gamma", "bias": "beta"}[name]
            yield f"{path}.{name}", parameter
