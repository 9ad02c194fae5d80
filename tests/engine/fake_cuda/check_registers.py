#!/usr/bin/env python3
"""Compiles the PTX of the engine `cuda` with ptxas and checks each kernel's registers and spills.

    check_registers.py FOLDER [PTXAS]     of the modules' files, *.ptx

A kernel must leave a multiprocessor, with 65536 registers, at least 256 threads, and must spill
nothing. Ends with 1 if one does not, with 77 (skipped) where there is no ptxas.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ARCHITECTURES = ("sm_80", "sm_90")
MOST_REGISTERS = 65536 // 256
# What ptxas 13.0 spills of kernels that are not worth another look.
SPILLS_ALLOWED = {"filter_grad": 12}

KERNEL = re.compile(
    r"Compiling entry function '(\w+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
    r".*?Used (\d+) registers",
    re.DOTALL,
)


def complaints(report):
    """What is wrong with the kernels of a report of `ptxas -v`, and how many there are."""
    found = KERNEL.findall(report)
    lines = []
    for name, stores, loads, registers in found:
        spilt = max(int(stores), int(loads))
        if spilt > SPILLS_ALLOWED.get(name, 0):
            lines.append(f"{name}: {spilt} bytes are spilt; give it fewer values at a time")
        if int(registers) > MOST_REGISTERS:
            lines.append(f"{name}: {registers} registers, {MOST_REGISTERS} at most")
    return lines, len(found)


def compiled(ptxas, arch, ptx):
    """What is wrong with the kernels of a module, and how many there are."""
    done = subprocess.run(
        [ptxas, f"-arch={arch}", "-v", ptx, "-o", "/dev/null"], capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"{arch}: ptxas refuses {ptx}:\n{done.stderr}")
    entries = ptx.read_text(encoding="utf-8").count(".entry ")
    lines, kernels = complaints(done.stderr)
    if kernels != entries:
        sys.exit(f"{arch}: {kernels} kernels in the report of ptxas, {entries} in {ptx}")
    return lines, kernels


def main():
    modules = sorted(pathlib.Path(sys.argv[1]).glob("*.ptx"))
    if not modules:
        sys.exit(f"no PTX in {sys.argv[1]}")
    ptxas = sys.argv[2] if len(sys.argv) > 2 else shutil.which("ptxas")
    if not ptxas:
        print("skipped: there is no ptxas here")
        return 77
    wrong = []
    for arch in ARCHITECTURES:
        for ptx in modules:
            lines, kernels = compiled(ptxas, arch, ptx)
            wrong += [f"{arch} {line}" for line in lines]
            print(f"{arch} {ptx.stem}: {kernels} kernels")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
