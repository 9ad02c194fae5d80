"""The networks besides skip in plain PyTorch: unet, resnet, decoder, convdecoder and plain.

The independent second opinion for the C++ networks, from which make_golden_passes.py takes golden
values. Written from the descriptions in include/unmar/models/models.h, whose options they have field for
field; enumerators are strings. Modules are named after the nodes of the C++ graph, so that
torch_layers.named_tensors() gives its parameter names: "down1.conv0.norm.gamma".
"""

import dataclasses
import math

import torch
from torch import nn

from torch_layers import (
    Block,
    Head,
    learns,
    make_activation,
    make_conv,
    make_downsample,
    make_norm,
    make_upsample,
    match_size,
    resize,
)
from torch_skip import Skip, SkipOptions


@dataclasses.dataclass
class UnetOptions:
    input_channels: int = 0
    output_channels: int = 0
    hidden_size: int = 64
    bilinear: bool = True
    upsample: str = None  # another one than `bilinear` says
    align_corners: bool = True
    depth: int = 4
    downsample: str = "max"
    skip_mode: str = "concat"
    norm: str = "batch"
    activation: str = "relu"
    border: str = "zero"
    sigmoid: bool = True
    bias: bool = False

    def up(self):
        return self.upsample or ("bilinear" if self.bilinear else "transposed")


class DoubleConv(nn.Module):
    def __init__(self, options, channels, middle, out_channels, stride=1):
        super().__init__()
        self.conv0 = Block(options, channels, middle, 3, stride)
        self.conv1 = Block(options, middle, out_channels, 3)

    def forward(self, x):
        return self.conv1(self.conv0(x))


class UnetUp(DoubleConv):
    """Up-sampling and join before it. x has `channels`, the encoder's features have `width`."""

    def __init__(self, options, channels, width, out_channels):
        joined = width if learns(options.up()) else channels
        if options.skip_mode == "concat":
            joined += width
        super().__init__(options, joined, width, out_channels)
        self.skip_mode = options.skip_mode
        self.upsample = make_upsample(options.up(), channels, width, options.align_corners)

    def forward(self, x, features):
        x = match_size(self.upsample(x), *features.shape[2:])
        if self.skip_mode == "concat":
            x = torch.cat([features, x], dim=1)
        elif self.skip_mode == "add":
            x = features + x
        return super().forward(x)


class Unet(nn.Module):
    """Ronneberger et al., MICCAI 2015, as it is written today: up-sampling that does not learn
    leaves the channels, so that bottom and decoder have half of them."""

    def __init__(self, in_channels, out_channels, options):
        super().__init__()
        self.depth = options.depth
        widths = [options.hidden_size * 2**level for level in range(self.depth + 1)]
        less = 1 if learns(options.up()) else 2
        stride = 2 if options.downsample == "stride" else 1

        self.add_module("in", DoubleConv(options, in_channels, widths[0], widths[0]))
        self.downsample = make_downsample(options.downsample)
        for level in range(1, self.depth + 1):
            channels = widths[level] // (less if level == self.depth else 1)
            down = DoubleConv(options, widths[level - 1], channels, channels, stride)
            self.add_module(f"down{level}", down)
        for level in reversed(range(self.depth)):
            out = widths[level] // (less if level > 0 else 1)
            self.add_module(f"up{level}", UnetUp(options, channels, widths[level], out))
            channels = out
        self.head = Head(options, channels, out_channels)

    def forward(self, x):
        features = [getattr(self, "in")(x)]
        for level in range(1, self.depth + 1):
            features.append(getattr(self, f"down{level}")(self.downsample(features[-1])))
        x = features.pop()
        for level in reversed(range(self.depth)):
            x = getattr(self, f"up{level}")(x, features[level])
        return self.head(x)


@dataclasses.dataclass
class ResnetOptions:
    blocks: int = 8
    channels: int = 32
    norm: str = "batch"
    activation: str = "leaky_relu"
    border: str = "reflect"
    sigmoid: bool = True
    bias: bool = True


class ConvNorm(nn.Module):
    def __init__(self, options, channels):
        super().__init__()
        self.conv = make_conv(channels, channels, 3, 1, options.border, options.bias)
        self.norm = make_norm(options.norm, channels)

    def forward(self, x):
        return self.norm(self.conv(x))


class ConvActivation(nn.Module):
    def __init__(self, options, channels, out_channels):
        super().__init__()
        self.conv = make_conv(channels, out_channels, 3, 1, options.border, options.bias)
        self.act = make_activation(options.activation)

    def forward(self, x):
        return self.act(self.conv(x))


class ResnetBlock(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.conv0 = Block(options, options.channels, options.channels, 3)
        self.conv1 = ConvNorm(options, options.channels)

    def forward(self, x):
        return x + self.conv1(self.conv0(x))


class Resnet(nn.Module):
    """The residual network of the Deep Image Prior code."""

    def __init__(self, in_channels, out_channels, options):
        super().__init__()
        self.stem = ConvActivation(options, in_channels, options.channels)
        self.body = []
        for i in range(options.blocks):
            self.body.append(ResnetBlock(options))
            self.add_module(f"block{i}", self.body[-1])
        self.last = ConvNorm(options, options.channels)
        self.head = Head(options, options.channels, out_channels, kernel=3)

    def forward(self, x):
        x = self.stem(x)
        for block in self.body:
            x = block(x)
        return self.head(self.last(x))


@dataclasses.dataclass
class DecoderOptions:
    layers: int = 5
    channels: int = 128
    upsample: str = "bilinear"
    align_corners: bool = False
    norm: str = "batch"
    activation: str = "relu"
    sigmoid: bool = True
    bias: bool = False


class DecoderLayer(nn.Module):
    def __init__(self, options, channels, upsamples):
        super().__init__()
        self.conv = nn.Conv2d(channels, options.channels, 1, bias=options.bias)
        self.upsample = (
            make_upsample(
                options.upsample, options.channels, options.channels, options.align_corners
            )
            if upsamples
            else nn.Identity()
        )
        self.act = make_activation(options.activation)
        self.norm = make_norm(options.norm, options.channels)

    def forward(self, x):
        return self.norm(self.act(self.upsample(self.conv(x))))


class Decoder(nn.Sequential):
    """Deep Decoder, Heckel and Hand, ICLR 2019."""

    def __init__(self, in_channels, out_channels, options):
        super().__init__()
        for i in range(options.layers + 1):
            channels = in_channels if i == 0 else options.channels
            self.add_module(f"layer{i}", DecoderLayer(options, channels, i < options.layers))
        self.add_module("head", Head(options, options.channels, out_channels))


@dataclasses.dataclass
class ConvDecoderOptions:
    layers: int = 6
    channels: int = 128
    input_size: int = 8
    upsample: str = "nearest"
    align_corners: bool = False
    norm: str = "batch"
    activation: str = "relu"
    border: str = "zero"
    sigmoid: bool = True
    bias: bool = True


class ConvDecoderLayer(nn.Module):
    def __init__(self, options, channels):
        super().__init__()
        self.conv = make_conv(channels, options.channels, 3, 1, options.border, options.bias)
        self.act = make_activation(options.activation)
        self.norm = make_norm(options.norm, options.channels)

    def forward(self, x):
        return self.norm(self.act(self.conv(x)))


class ConvDecoder(nn.Module):
    """Darestani and Heckel, 2021. `size`: of the picture, rows and columns."""

    def __init__(self, in_channels, out_channels, options, size):
        super().__init__()
        self.options, self.size = options, size
        self.layers = []
        for i in range(options.layers + 1):
            channels = in_channels if i == 0 else options.channels
            self.layers.append(ConvDecoderLayer(options, channels))
            self.add_module(f"layer{i}", self.layers[-1])
        self.head = Head(options, options.channels, out_channels)

    def _sizes(self, start):
        """The sizes in between: from `start`, each larger than the last by one ratio."""
        for i in range(1, self.options.layers + 1):
            part = i / self.options.layers
            yield [math.floor(a * (b / a) ** part + 0.5) for a, b in zip(start, self.size)]

    def forward(self, x):
        corners = self.options.align_corners and self.options.upsample == "bilinear"
        for layer, size in zip(self.layers, self._sizes(x.shape[2:])):
            x = layer(resize(x, *size, self.options.upsample, corners))
        return self.head(self.layers[-1](x))


@dataclasses.dataclass
class PlainOptions:
    layers: int = 6
    channels: int = 64
    kernel: int = 3
    norm: str = "batch"
    activation: str = "leaky_relu"
    border: str = "reflect"
    sigmoid: bool = True
    bias: bool = True


class Plain(nn.Sequential):
    def __init__(self, in_channels, out_channels, options):
        super().__init__()
        for i in range(options.layers):
            channels = in_channels if i == 0 else options.channels
            block = Block(options, channels, options.channels, options.kernel)
            self.add_module(f"layer{i}", block)
        self.add_module("head", Head(options, options.channels, out_channels))


NETWORKS = {
    SkipOptions: ("skip", Skip),
    UnetOptions: ("unet", Unet),
    ResnetOptions: ("resnet", Resnet),
    DecoderOptions: ("decoder", Decoder),
    ConvDecoderOptions: ("convdecoder", ConvDecoder),
    PlainOptions: ("plain", Plain),
}


def network_to_dict(options):
    """As a network file has it."""
    return {"network": NETWORKS[type(options)][0], **dataclasses.asdict(options)}


def make_network(options, in_channels, picture):
    """picture: its channels, rows and columns."""
    network = NETWORKS[type(options)][1]
    extra = [picture[1:]] if network is ConvDecoder else []
    return network(in_channels, picture[0], options, *extra)
