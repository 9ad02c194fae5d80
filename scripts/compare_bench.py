#!/usr/bin/env python3
"""Compares two JSON files of ./run bench: every number that both have, and new / old.

    scripts/compare_bench.py OLD NEW

Times, memory and instructions below 1 are better now; GFLOP/s, GB/s, gains and shares say what they
are. Whether the machine was as quiet both times only the measurer knows; the loads before are shown.
"""

import json
import pathlib
import sys


def numbers(value, path=""):
    """(path, number) of everything in a JSON value; entries of lists are named by their "kind"."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, float)):
        yield path, float(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from numbers(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            name = part.get("kind", index) if isinstance(part, dict) else index
            yield from numbers(part, f"{path}.{name}")


def read(name):
    try:
        document = json.loads(pathlib.Path(name).read_text())
        return document.pop("facts"), dict(numbers(document))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"compare_bench: {name} is no file of ./run bench --json: {error}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip().splitlines()[2].strip())
    (old_facts, old), (new_facts, new) = read(sys.argv[1]), read(sys.argv[2])
    for key in dict.fromkeys([*old_facts, *new_facts]):
        before, after = old_facts.get(key), new_facts.get(key)
        print(f"{key:<12} {before}" if before == after else f"{key:<12} {before}  ->  {after}")
    print()
    common = [path for path in old if path in new]
    if not common:
        sys.exit("compare_bench: the files have no number in common")
    width = max(map(len, common))
    print(f"{'':<{width}}{'old':>14}{'new':>14}  new/old")
    for path in common:
        ratio = f"{new[path] / old[path]:9.3f}" if old[path] else "        -"
        print(f"{path:<{width}}{old[path]:>14.6g}{new[path]:>14.6g}{ratio}")


if __name__ == "__main__":
    main()
