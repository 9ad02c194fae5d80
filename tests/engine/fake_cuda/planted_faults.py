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
    "no barrier after the pieces are stored": (
        "conv.h",
        "      store<kProducts>(tile.b[(step + 1) % 2], next_b);\n    }\n    __syncthreads();",
        "      store<kProducts>(tile.b[(step + 1) % 2], next_b);\n    }",
        CONV,
    ),
    "one stage of shared memory for two steps": (
        "conv.h",
        "tile.a[(step + 1) % 2], next_a",
        "tile.a[step % 2], next_a",
        CONV,
    ),
    "no mask at the last rows": (
        "conv.h",
        "int out_row(int row) const { return row < rows ? row : -1; }",
        "int out_row(int row) const { return row; }",
        "*SameBits*cuda_chain_skip_net*:*Parity*cuda_chain_skip_net*",
    ),
    "channels beyond the last are read": ("conv.h", "valid > 1 ? p[1] : 0.f", "p[1]", CONV),
    "a mirrored position is forgotten": ("act.h", "if (which == 2 && (!reflect", "if (which == 2 && (true || !reflect", CONV),
    "no barrier in a tree of sums": (
        "sums.h",
        "    if (t < half) tree.value[t] += tree.value[t + half];\n    __syncthreads();",
        "    if (t < half) tree.value[t] += tree.value[t + half];",
        "*Parity*cuda_batch_norm_c24_7x5",
    ),
    "no barrier before rows are added up": (
        "sums.h",
        "  tile.second[r.row][r.lane] = second;\n  __syncthreads();",
        "  tile.second[r.row][r.lane] = second;",
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
        CONV,
    ),
    "a phase sums the taps of another one": (
        "conv.h",
        "tap_x + s.phases * column;",
        "tap_x + column;",
        "*Parity*cuda_conv_k3_s2_reflect_o13*",
    ),
    "the last part of a split sum is left out": ("conv.h", "k < a.splits", "k < a.splits - 1", "*Parity*cuda_conv*"),
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
