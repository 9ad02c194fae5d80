#!/usr/bin/env python3
"""Makes the golden fixtures in tests/fixtures with PyTorch; the README.md there has the format.

    OMP_NUM_THREADS=2 /usr/bin/python3 scripts/make_fixtures.py [--out DIR] [case ...]

The fixture holds the values of a float32 fit. Rounding that carries one of its some 10^5 values
over the kink of a leaky ReLU changes gradients, Adam turns the sign of a small gradient into a
full step, and after that no two correct programs agree to 1e-4. Therefore each fit is also run in
float64 and from slightly disturbed weights, and the first seed is taken for which all of these
stay far closer together than the tolerance of the test.

gamma and beta start away from 1 and 0. With 1 and 0 and a leaky ReLU, many gammas scale a channel
that the next norm scales back: their true gradient is 0, and float32 and float64 differ by 1 %
after ten iterations whatever the seed.
"""

import argparse
import dataclasses
import json
import pathlib

import numpy as np
import torch

from torch_layers import Reduce, named_tensors
from torch_skip import Skip, SkipOptions

ITERATIONS = 20
LEARNING_RATE = 0.01
TESTED_TO = 1e-4  # relative, output and losses
MAX_DRIFT = TESTED_TO / 5
DISTURBANCE = 5e-7  # relative, of the start values: some roundings
DISTURBED_RUNS = 4
MAX_SEEDS = 1000
MAX_CASE_BYTES = 200_000
JITTER_FORMULA = (
    "z[i] + float(sigma) * float(((i * 2654435761 + it * 2246822519) mod 2^32 >> 16) / 65536 - 0.5)"
)


@dataclasses.dataclass
class Case:
    about: str
    h: int
    w: int
    channels: int  # of the picture
    input_channels: int
    options: SkipOptions
    jitter: float = 0.0
    meshgrid: bool = False
    mask: bool = False
    first_seed: int = 0  # where the search for a stable fit begins: spares the time
    reduce: int = 1  # factor of the Lanczos2 reduction between picture and loss


def downsample_case(mode):
    return Case(
        about=f"{mode} down-sampling, no skip at scale 0, silu",
        h=24,
        w=32,
        channels=3,
        input_channels=4,
        options=SkipOptions(
            down=[6, 9],
            up=[7, 8],
            skip=[0, 4],
            kernel_down=[5, 3],
            kernel_up=[3, 5],
            kernel_skip=3,
            downsample=mode,
            upsample=["nearest", "bilinear"],
            activation="silu",
        ),
    )


CASES = {
    "denoise": Case(
        about="the network of the denoising recipe, small, at an odd size, with input jitter",
        h=33,
        w=27,
        channels=3,
        input_channels=5,
        first_seed=55,
        options=SkipOptions(down=[8, 8, 13], up=[8, 8, 13], skip=[4, 4, 4]),
        jitter=1 / 30,
    ),
    "zero_nearest_elu": Case(
        about="zero padding, nearest, ELU, 5x5 down, no bias, no 1x1, no sigmoid, at an odd size",
        h=21,
        w=26,
        channels=3,
        input_channels=4,
        options=SkipOptions(
            down=[6, 7],
            up=[7, 5],
            skip=[3, 2],
            kernel_down=[5],
            border="zero",
            upsample=["nearest"],
            activation="elu",
            one_by_one_up=False,
            sigmoid=False,
            bias=False,
        ),
        jitter=0.03,
    ),
    "down_average": downsample_case("average"),
    "down_max": downsample_case("max"),
    "down_lanczos2": downsample_case("lanczos2"),
    "down_lanczos3": downsample_case("lanczos3"),
    "inpaint": Case(
        about="mean squared error where a mask is 1, no skips, meshgrid input, nearest",
        h=32,
        w=24,
        channels=3,
        input_channels=2,
        first_seed=199,
        options=SkipOptions(down=[8, 10, 12], up=[8, 10, 12], skip=[0, 0, 0], upsample=["nearest"]),
        jitter=0.03,
        meshgrid=True,
        mask=True,
    ),
    "super_resolve": Case(
        about="mean squared error after Lanczos2 reduction by 4",
        h=32,
        w=40,
        channels=3,
        input_channels=6,
        first_seed=19,
        options=SkipOptions(down=[10, 12], up=[10, 12], skip=[4, 4]),
        jitter=0.03,
        reduce=4,
    ),
    "gray": Case(
        about="one channel in, one channel out, no activation",
        h=18,
        w=15,
        channels=1,
        input_channels=1,
        options=SkipOptions(down=[5, 6], up=[6, 5], skip=[1, 2], activation="none"),
    ),
}


def jittered(z, sigma, iteration):
    """z with the noise of this iteration: JITTER_FORMULA, exact in float32 on both sides."""
    i = np.arange(z.size, dtype=np.uint64)
    bits = (i * np.uint64(2654435761) + np.uint64(iteration * 2246822519)) % np.uint64(2**32)
    noise = (bits >> np.uint64(16)).astype(np.float32) / np.float32(65536) - np.float32(0.5)
    return z + np.float32(sigma) * noise.reshape(z.shape)


def picture(channels, h, w, rng):
    """Something between a gradient, waves and noise: every frequency and every channel differs."""
    y, x = np.mgrid[0:h, 0:w]
    planes = [
        0.5 + 0.2 * np.sin(0.31 * (c + 1) * x + 0.2 * c) * np.cos(0.23 * y) + 0.2 * (x / w - y / h)
        for c in range(channels)
    ]
    noisy = np.stack(planes) + 0.05 * rng.standard_normal((channels, h, w))
    return noisy[None].astype(np.float32)


def make_tensors(case, rng):
    """What the fit is given: z, y and the mask, if any."""
    if case.meshgrid:
        y, x = np.mgrid[0 : case.h, 0 : case.w]
        z = np.stack([x / (case.w - 1), y / (case.h - 1)])[None].astype(np.float32)
    else:
        shape = (1, case.input_channels, case.h, case.w)
        z = rng.uniform(0, 0.1, shape).astype(np.float32)
    y = picture(case.channels, case.h // case.reduce, case.w // case.reduce, rng)
    tensors = {"z": z, "y": y}
    if case.mask:
        tensors["mask"] = (rng.random((1, 1, case.h, case.w)) < 0.6).astype(np.float32)
    return tensors


def run(case, tensors, start, dtype):
    """The fit: output and gradients of iteration 0, losses of all."""
    network = Skip(tensors["z"].shape[1], case.channels, case.options).to(dtype)
    parameters = dict(named_tensors(network))
    with torch.no_grad():
        for name, value in start.items():
            parameters[name].copy_(torch.from_numpy(value))
    y = torch.from_numpy(tensors["y"]).to(dtype)
    mask = torch.from_numpy(tensors["mask"]).to(dtype) if case.mask else None
    reduce = Reduce("lanczos2", case.reduce) if case.reduce > 1 else torch.nn.Identity()
    adam = torch.optim.Adam(parameters.values(), lr=LEARNING_RATE)

    losses, first_output, first_grads = [], None, None
    for iteration in range(ITERATIONS):
        z = torch.from_numpy(jittered(tensors["z"], case.jitter, iteration)).to(dtype)
        out = network(z)
        observed = reduce(out)
        if mask is None:
            loss = torch.nn.functional.mse_loss(observed, y)
        else:
            loss = torch.nn.functional.mse_loss(observed * mask, y * mask)
        adam.zero_grad()
        loss.backward()
        if iteration == 0:
            first_output = out.detach().numpy().copy()
            first_grads = {n: p.grad.numpy().copy() for n, p in parameters.items()}
        adam.step()
        losses.append(loss.item())
    return first_output, first_grads, losses


def start_values(case, rng, seed):
    torch.manual_seed(seed)
    network = Skip(case.input_channels, case.channels, case.options)
    start = {n: p.detach().numpy().copy() for n, p in named_tensors(network)}
    for name, value in start.items():
        if name.endswith(("gamma", "beta")):
            low, high = (0.5, 1.5) if name.endswith("gamma") else (-0.3, 0.3)
            value[:] = rng.uniform(low, high, value.shape)
    return start


def relative_gap(a, b):
    return float(np.max(np.abs(np.subtract(a, b, dtype=np.float64))) / np.max(np.abs(b)))


def as_4d(value):
    """Vectors are [1,c,1,1] in the graph, matrices 1x1 convolutions."""
    if value.ndim == 2:
        return value[:, :, None, None]
    return value.reshape(1, -1, 1, 1) if value.ndim == 1 else value


def loss_gap(losses, exact):
    return max(abs(a - b) / b for a, b in zip(losses, exact))


def stable_fit(case, seed):
    """The golden fit and how far it drifts: (tensors by name, losses, drift); None if too far."""
    rng = np.random.default_rng(seed)
    tensors = make_tensors(case, rng)
    start = start_values(case, rng, seed)
    output, grads, losses = run(case, tensors, start, torch.float32)
    drift = 0.0
    for _ in range(DISTURBED_RUNS):
        disturbed = {
            n: (v * (1 + DISTURBANCE * rng.standard_normal(v.shape))).astype(np.float32)
            for n, v in start.items()
        }
        drift = max(drift, loss_gap(run(case, tensors, disturbed, torch.float32)[2], losses))
        if drift > MAX_DRIFT:
            return None
    exact_output, exact_grads, exact_losses = run(case, tensors, start, torch.float64)

    # What the next norm takes out again (the bias of a convolution, mostly) has the true gradient
    # 0; the computed one is rounding and proves nothing.
    tested_grads = {n: g for n, g in grads.items() if np.max(np.abs(exact_grads[n])) > 1e-6}
    drifts = {
        "output": relative_gap(output, exact_output),
        "losses": max(drift, loss_gap(exact_losses, losses)),
        "grads": max(relative_gap(g, exact_grads[n]) for n, g in tested_grads.items()),
    }
    if max(drifts["output"], drifts["losses"]) > MAX_DRIFT or drifts["grads"] > TESTED_TO:
        return None

    blobs = dict(tensors)
    blobs.update({f"start/{n}": v for n, v in start.items()})
    blobs["output"] = output
    blobs.update({f"grad/{n}": v for n, v in tested_grads.items()})
    return blobs, losses, drifts


def make_case(name, case):
    """The fixture as (document, blob)."""
    assert not case.meshgrid or case.input_channels == 2
    for seed in range(case.first_seed, case.first_seed + MAX_SEEDS):
        fit = stable_fit(case, seed)
        if fit:
            break
    else:
        raise SystemExit(f"{name}: none of {MAX_SEEDS} seeds gives a stable fit")
    blobs, losses, drifts = fit
    if losses[-1] > 0.8 * losses[0]:
        raise SystemExit(f"{name}: hardly learns ({losses[0]} -> {losses[-1]}): proves little")

    index, offset = [], 0
    for key, value in blobs.items():
        shape = as_4d(value).shape
        index.append({"name": key, "shape": list(shape), "offset": offset})
        offset += value.size
    document = {
        "about": case.about,
        "made_by": f"scripts/make_fixtures.py, PyTorch {torch.__version__}",
        "out_channels": case.channels,
        "network": {"network": "skip", **dataclasses.asdict(case.options)},
        "reduce_factor": case.reduce,
        "jitter_sigma": case.jitter,
        "jitter_formula": JITTER_FORMULA,
        "learning_rate": LEARNING_RATE,
        "losses": losses,
        "seed": seed,
        "drift": drifts,
        "tensors": index,
    }
    blob = b"".join(np.ascontiguousarray(v, dtype="<f4").tobytes() for v in blobs.values())
    return document, blob


def to_json(document):
    """One line per key and per tensor, so that a change shows in a diff."""
    lines = []
    for key, value in document.items():
        if key == "tensors":
            rows = ",\n    ".join(json.dumps(t) for t in value)
            lines.append(f'  "tensors": [\n    {rows}\n  ]')
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=root / "tests/fixtures")
    parser.add_argument("cases", nargs="*", metavar="case", help=f"all if none; {', '.join(CASES)}")
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        if arguments.cases and name not in arguments.cases:
            continue
        document, blob = make_case(name, case)
        text = to_json(document)
        size = len(text) + len(blob)
        if size > MAX_CASE_BYTES:
            raise SystemExit(f"{name}: {size} bytes, more than {MAX_CASE_BYTES}; make it smaller")
        (arguments.out / f"{name}.json").write_text(text)
        (arguments.out / f"{name}.bin").write_bytes(blob)
        drift = ", ".join(f"{k} {v:.1e}" for k, v in document["drift"].items())
        first, last = document["losses"][0], document["losses"][-1]
        print(f"{name:17} {size:7} bytes, seed {document['seed']:3}", end=", ")
        print(f"loss {first:.5f} -> {last:.5f}, drift: {drift}")


if __name__ == "__main__":
    main()
