#!/usr/bin/env python3
"""Checks that all C++ files are as clang-format 14, Debian 12's, writes them.

    scripts/check_format.py [--fix]

Prints one line per file that is not and ends with 1; ends with 77 if there is no clang-format 14, as
other versions write some lines differently.
"""

import pathlib
import re
import shutil
import subprocess
import sys

FOLDERS = ("include", "src", "apps", "examples", "bench", "tests")
VERSION = 14


def find_clang_format():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if not program:
            continue
        text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        if re.search(rf"version {VERSION}\.", text):
            return program
    return None


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    program = find_clang_format()
    if not program:
        print(f"skipped: no clang-format {VERSION} here (Debian 12: apt-get install clang-format)")
        return 77
    files = sorted(
        path
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.suffix in (".h", ".cpp")
    )
    if sys.argv[1:] == ["--fix"]:
        return subprocess.run([program, "-i", *files], check=False).returncode
    # One line, file:line:column: ..., for each place, and the place itself.
    told = subprocess.run(
        [program, "--dry-run", *files], capture_output=True, text=True, check=True
    ).stderr
    wrong = sorted(set(re.findall(r"^(/[^:\n]+):\d+:\d+:", told, re.MULTILINE)))
    for name in wrong:
        print(f"{pathlib.Path(name).relative_to(root)}: run scripts/check_format.py --fix")
    print(f"{len(files)} files, {len(wrong)} not formatted")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
