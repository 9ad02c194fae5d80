#!/usr/bin/env python3
"""Plants faults in the kernels of the engine `cuda`, one at a time, and expects its tests to fail.

    planted_faults.py TEST_ENGINE SOURCE_DIR COMPILER [NAME...]

Each fault is a text of a kernel file and what takes its place. A fake driver is built from the
changed copy, and the tests that must notice run on it. Ends with 1 if one of them passes, or if a
text is no longer there.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

CONV = "*Parity*cuda_conv_k3_s1_reflect_nobias_o13_c13_7x5_n2"
FAULTS = {
    "no barrier between the stages": (
        "conv.h",
        "    __syncthreads();  // all have it",
        "    // all have it",
        CONV,
    ),
    "a stage is read while its copies are on their way": (
        "conv.h",
        "wait_copies<kStages - 2>();",
        "wait_copies<kStages - 1>();",
        CONV,
    ),
    "sums take the place of a stage that is still read": (
        "product_sums.h",
        "  __syncthreads();  // the last stage has been read",
        "  // the last stage has been read",
        CONV,
    ),
    "sums are written before all are there": (
        "product_sums.h",
        "  __syncthreads();  // all sums are there",
        "  // all sums are there",
        CONV,
    ),
    "pixels beyond the last are summed up": (
        "conv.h",
        "const bool is_there = at.index < a.pixels;",
        "const bool is_there = true;",
        CONV,
    ),
    "rows below a picture lie elsewhere in the ring": (
        "product_out.h",
        "at = (y - to.h) * to.wide + x;",
        "at = (y - to.h + 1) * to.wide + x;",
        CONV,
    ),
    "the wrong half of a warp's rows gets the last columns": (
        "conv.h",
        "tiles.half ? f.a[(2 + i) % Tiles::kM][e] : f.a[i][e]",
        "f.a[i][e]",
        "*rounded*cuda_conv_k1_s1_zero_o132*",
    ),
    "a mirrored position is forgotten": ("act.h", "if (which == 2 && (!reflect", "if (which == 2 && (true || !reflect", CONV),
    "no barrier in a tree of sums": (
        "sums.h",
        "    if (t < half) tree.value[t] += tree.value[t + half];\n    __syncthreads();",
        "    if (t < half) tree.value[t] += tree.value[t + half];",
        "*Parity*cuda_batch_norm_c24_7x5",
    ),
    "no barrier before rows are added up": (
        "channel_sums.h",
        "second, r.count);\n  }\n  __syncthreads();",
        "second, r.count);\n  }",
        "*Parity*cuda_batch_norm*",
    ),
    "a barrier that some threads never reach": (
        "sums.h",
        "  sum = sum_of_block(tree, sum);\n  if (threadIdx.x == 0) *a.dst",
        "  if (threadIdx.x < 17) sum = sum_of_block(tree, sum);\n  if (threadIdx.x == 0) *a.dst",
        "*Parity*cuda_batch_norm_c24_7x5",
    ),
    "a sum into memory that was never written": (
        "act.h",
        "*dst = accumulate ? *dst + v : v",
        "*dst = *dst + v",
        "*Parity*cuda_conv_k3_s1_zero_o13_c3_33x64*",
    ),
    "the last tap of overlapping blocks is left out": ("pixels.h", "ky < a.kernel && ky <= y", "ky + 1 < a.kernel && ky <= y", "*Parity*cuda_conv_transpose*"),
    "running statistics follow a step that is dropped": ("norm_finish.h", "|| !a.pass->update) return;", "|| a.pass->update) return;", "*Parity*cuda*tracked*"),
    "bf16 is cut off instead of rounded": (
        "values.h",
        "static_cast<unsigned short>(to_bf16(v, 0.f))",
        "static_cast<unsigned short>(bits_of(v) >> 16)",
        "*Rounding*",
    ),
    "two neighbours of bf16 change places": ("values.h", "to_bf16(v.x, v.y)", "to_bf16(v.y, v.x)", "*Storage*cuda_residual"),
    "a ring of fp32 is written as bf16": ("product_out.h", "place.in_ring ? 0 : o.out.bf16", "o.out.bf16", "*Storage*cuda_conv_k3_reflect"),
    "moments of what was not rounded": (
        "product_sums.h",
        "const float d = out.stored(sums[(row + k) * kLine + c] + bias) - first;",
        "const float d = sums[(row + k) * kLine + c] + bias - first;",
        "*Rounding*",
    ),
    "the norm of another picture": ("operands.h", "cell = static_cast<unsigned>(to.n * a.c + c);", "cell = static_cast<unsigned>(c);", "*Storage*cuda_instance_relu"),
    "moments count rows that are not there": (
        "product_sums.h",
        "const int rows = o.rows - m0 < kRows ? o.rows - m0 : kRows;",
        "const int rows = kRows;",
        "*Parity*cuda_chain_conv_batch_norm*",
    ),
    "the last part of a split sum is left out": ("parts.h", "k < a.splits", "k < a.splits - 1", "*Parity*cuda_conv*"),
}


def build(source, folder, compiler):
    library = folder / "libcuda.so.1"
    files = sorted((source / "tests/engine/fake_cuda").glob("*.cpp"))
    subprocess.run(
        [compiler, "-std=c++20", "-O1", "-w", "-fPIC", "-shared", "-Wl,-Bsymbolic"]
        + [f"-I{folder / 'src'}", f"-I{source / 'tests'}", *map(str, files), "-o", str(library)],
        check=True,
    )


def notices(test, folder, tests):
    environment = dict(os.environ, LD_LIBRARY_PATH=str(folder))
    command = [test, f"--gtest_filter={tests}", "--gtest_brief=1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if "0 tests from 0" in done.stdout:
        sys.exit(f"no test is called {tests}")
    return done.returncode != 0


def main():
    test, source, compiler = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    chosen = sys.argv[4:] or list(FAULTS)
    missed = []
    for name in chosen:
        file, text, instead, tests = FAULTS[name]
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            kernels = folder / "src/engine/cuda/kernels"
            shutil.copytree(source / "src/engine/cuda/kernels", kernels)
            content = (kernels / file).read_text(encoding="utf-8")
            if text not in content:
                sys.exit(f"{name}: the text to change is no longer in {file}")
            (kernels / file).write_text(content.replace(text, instead), encoding="utf-8")
            build(source, folder, compiler)
            seen = notices(test, folder, tests)
        print(f"{'seen' if seen else 'MISSED'}: {name}", flush=True)
        if not seen:
            missed.append(name)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
