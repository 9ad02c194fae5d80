"""DCGAN (Radford et al., ICLR 2016) in PyTorch, with the names of src/models/gan.cpp."""

import collections

import torch
from torch import nn


def levels(size):
    """(how often the side is halved, side of the coarsest level)."""
    count = 0
    while size % 2 == 0 and size > 4:
        size //= 2
        count += 1
    return count, size


class PartsNorm(nn.BatchNorm2d):
    """The batch in equal parts, each normalised by itself."""

    def __init__(self, channels, parts):
        super().__init__(channels)
        self.parts = parts

    def forward(self, x):
        return torch.cat([super(PartsNorm, self).forward(part) for part in x.chunk(self.parts)])


def block(**layers):
    return nn.Sequential(collections.OrderedDict(layers))


class Generator(nn.Sequential):
    def __init__(self, size, channels, latent, width, kernel):
        count, base = levels(size)
        wide = width << (count - 1)
        layers = {
            "base": block(conv=nn.ConvTranspose2d(latent, wide, base, bias=False),
                          norm=nn.BatchNorm2d(wide), act=nn.ReLU())
        }
        for level in reversed(range(count)):
            if level == 0:
                layers["up0"] = block(conv=nn.ConvTranspose2d(wide, channels, 4, 2, 1))
            else:
                layers[f"up{level}"] = block(
                    conv=nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1, bias=False),
                    norm=nn.BatchNorm2d(wide // 2), act=nn.ReLU())
                wide //= 2
        super().__init__(collections.OrderedDict({**layers, "tanh": nn.Tanh()}))


class Discriminator(nn.Sequential):
    def __init__(self, size, channels, latent, width, kernel, parts=1):
        count, base = levels(size)
        layers, pad = {}, (kernel - 1) // 2
        for level in range(count):
            wide = width << level
            if level == 0:
                layers["down0"] = block(conv=nn.Conv2d(channels, wide, kernel, 2, pad),
                                        act=nn.LeakyReLU(0.2))
            else:
                layers[f"down{level}"] = block(
                    conv=nn.Conv2d(wide // 2, wide, kernel, 2, pad, bias=False),
                    norm=PartsNorm(wide, parts), act=nn.LeakyReLU(0.2))
        layers["head"] = block(conv=nn.Conv2d(wide, 1, base))
        super().__init__(collections.OrderedDict(layers))
