#!/usr/bin/env python3
"""Checks who includes whom: a module of src/ may look only at modules to its left.

    scripts/check_modules.py [ROOT]

The rule is what CMake builds: src/CMakeLists.txt has the order, and each module's unmar_module(...
LINKS ...) what it stands on. A module may include those and what they stand on. Prints one line per
violation, `file:line: module 'x' may not include ...`, and ends with 1 if there are any.
"""

import dataclasses
import pathlib
import re
import sys

# The only header of include/unmar that belongs to no module; no module may include it.
UMBRELLA = "unmar.h"


@dataclasses.dataclass
class Library:
    """A library that only some folders may know, so that it can be replaced there."""

    name: str
    header: str  # regular expressions
    code: str
    target: str  # in CMake
    folders: tuple


LIBRARIES = [
    Library(
        "Highway",
        r"hwy/",
        r"\bhwy(::|_)",
        r"\bhwy\b",
        ("src/engine/cpu/", "src/patches/", "tests/patches/", "tests/instruction_set.cpp"),
    ),
    Library("libvips", r"vips/", r"\bvips(::|_\w+\()", r"\bvips\b", ("src/image/", "tests/image/")),
    Library(
        "zlib",
        r"zlib\.h",
        r"\bgz(open|read|close)\b",
        r"\bZLIB\b",
        ("src/image/", "src/data/", "tests/image/", "tests/data/", "tests/fuzz/"),
    ),
    Library("Eigen", r"Eigen/", r"\bEigen::", r"\bEigen", ("src/noise/",)),
    Library(
        "the standard streams",
        r"iostream$",
        r"[(,]\s*std(err|out)\b|\bfmt::print\b|\bstd::(cout|cerr|clog)\b",
        r"(?!)",
        ("apps/cli/console.cpp", "tests/", "bench/", "examples/", "python/"),
    ),
    Library("CLI11", r"CLI/", r"\bCLI::", r"\bCLI11\b", ("apps/", "tests/cli/")),
]

# Folders that know the public headers and their own files only.
OUTSIDE = ("apps", "examples", "python")

INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')
STANDARD_HEADER = re.compile(r"[a-z_]+")
CODE_SUFFIXES = {".h", ".hpp", ".cpp", ".cc"}


class Checker:
    def __init__(self, root):
        self.root = root
        self.problems = []
        self.includes = 0
        self.modules = {}  # module -> modules it may include besides itself

    def check(self):
        self._read_modules()
        for folder in ("include", "src", "apps", "examples", "python", "bench", "tests"):
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in CODE_SUFFIXES:
                    self._check_file(path)
        return self.problems

    def _read_modules(self):
        """From left to right, so that what a module links is known when its turn comes."""
        order = (self.root / "src/CMakeLists.txt").read_text(encoding="utf-8")
        for module in re.findall(r"^add_subdirectory\((\w+)\)", order, re.MULTILINE):
            links = self._check_cmake(self.root / "src" / module / "CMakeLists.txt")
            self.modules[module] = set().union(links, *(self.modules[link] for link in links))
        for path in sorted((self.root / "src").glob("*/CMakeLists.txt")):
            if path.parent.name not in self.modules:
                self._report(path.relative_to(self.root).as_posix(), "is not in src/CMakeLists.txt")

    def _report(self, where, text):
        self.problems.append(f"{where}: {text}")

    def _check_file(self, path):
        name = path.relative_to(self.root).as_posix()
        folders = name.split("/")
        owner = self._owner(folders)
        if owner is None:
            return
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            where = f"{name}:{number}"
            line = line.split("//")[0]
            match = INCLUDE.match(line)
            if not match:
                self._check_libraries(name, where, owner, line, header=None)
                continue
            self.includes += 1
            quote, header = match.groups()
            self._check_libraries(name, where, owner, line, header)
            if folders[0] == "include" and quote == "<" and not STANDARD_HEADER.fullmatch(header):
                self._report(
                    where, f"a public header may not include <{header}>: only the standard library"
                )
            if quote == '"' or header.startswith("unmar/"):
                self._check_include(path, where, owner, header)

    def _owner(self, folders):
        """The module, or the folder outside of them, that a file belongs to; None: cannot be told."""
        if folders[0] not in ("src", "include"):
            return folders[0]
        if folders == ["include", "unmar", UMBRELLA]:
            return UMBRELLA
        depth = 1 if folders[0] == "src" else 2  # src/MODULE/..., include/unmar/MODULE/x.h
        if len(folders) > depth + 1 and folders[depth] in self.modules:
            return folders[depth]
        self._report("/".join(folders), "is in no module that src/CMakeLists.txt adds")
        return None

    def _check_libraries(self, name, where, owner, line, header):
        for library in LIBRARIES:
            if name.startswith(library.folders):
                continue
            seen = re.match(library.header, header) if header else re.search(library.code, line)
            if seen:
                verb = f"include <{header}>" if header else f"use {library.name}"
                self._report(
                    where,
                    f"{self._who(owner)} may not {verb}: {library.name} is for "
                    f"{' and '.join(library.folders)} only",
                )

    def _who(self, owner):
        return f"module '{owner}'" if owner in self.modules else f"'{owner}'"

    def _check_include(self, path, where, owner, header):
        if owner in ("tests", "bench"):
            return  # they look inside on purpose
        first, _, rest = header.partition("/")
        if first == "unmar":
            folder, _, _ = rest.partition("/")
            target = folder if folder in self.modules else rest
        elif first in self.modules and rest:
            target = first
        elif (path.parent / header).is_file() and ".." not in header:
            return  # a file beside it
        elif owner in OUTSIDE and (path.parent.parent / header).is_file() and ".." not in header:
            return  # a program's file, from a folder of it
        else:
            self._report(where, f'{self._who(owner)} may not include "{header}": whose is it?')
            return

        if owner == UMBRELLA or owner in OUTSIDE:
            if first != "unmar":
                self._report(
                    where,
                    f'{self._who(owner)} may not include "{header}": '
                    "only unmar/*.h and its own files",
                )
        elif owner != target and target not in self.modules[owner]:
            of = f"module '{target}'" if target in self.modules else "all modules"
            self._report(where, f"module '{owner}' may not include \"{header}\" of {of}")

    def _check_cmake(self, path):
        """Checks one module's unmar_module() call; returns the modules that it links."""
        name = path.relative_to(self.root).as_posix()
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        module = path.parent.name
        call = re.search(r"unmar_module\s*\(([^)]*)\)", text)
        if not call:
            self._report(f"{name}:1", "has no unmar_module(...)")
            return set()
        where = f"{name}:{text[: call.start()].count(chr(10)) + 1}"
        words = call.group(1).split()
        if not words or words[0] != module:
            self._report(where, f"unmar_module({words[0] if words else ''}) does not name its folder")
            return set()
        lists, current = {}, None
        for word in words[1:]:
            if word in ("SOURCES", "ALONE", "LINKS", "PRIVATE_LINKS"):
                current = lists.setdefault(word, [])
            elif current is not None:
                current.append(word)
        linked = set(lists.get("LINKS", []))
        for other in sorted(linked - set(self.modules)):
            self._report(where, f"module '{module}' may not link '{other}', which is not to its left")
        for library in LIBRARIES:
            home = any(f.startswith(f"src/{module}/") for f in library.folders)
            if not home and re.search(library.target, text, re.IGNORECASE):
                self._report(where, f"module '{module}' may not link {library.name}")
        return linked & set(self.modules)


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    if not (root / "src").is_dir():
        raise SystemExit(f"check_modules.py: {root} has no folder src")
    checker = Checker(root)
    problems = checker.check()
    print("\n".join(problems) if problems else f"{checker.includes} includes, all allowed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
