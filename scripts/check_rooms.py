#!/usr/bin/env python3
"""Checks who includes whom: a room of src/ may look only at rooms to its left.

    scripts/check_rooms.py [ROOT]

Prints one line per violation, `file:line: room 'x' may not include ...`, and ends with 1 if there
are any. docs/design.md draws the picture; the tables below are the rule.
"""

import dataclasses
import pathlib
import re
import sys

# What each room may include besides itself. Siblings: image and graph; models, operators and
# engine; diffusion and fit.
ROOMS = {
    "base": set(),
    "tensor": {"base"},
    "image": {"base", "tensor"},
    "graph": {"base", "tensor"},
    "models": {"base", "tensor", "graph"},
    "engine": {"base", "tensor", "graph"},
    "operators": {"base", "tensor", "graph"},
    "observe": {"base", "tensor", "image", "graph", "operators", "engine"},
    "diffusion": {"base", "tensor", "image", "graph", "models", "operators", "engine", "observe"},
    "noise": {"base", "tensor", "image"},
    "patches": {"base", "tensor", "image", "noise"},
    "fit": {"base", "tensor", "graph", "models", "operators", "engine"},
    "tasks": {"base", "tensor", "image", "graph", "models", "operators", "engine", "observe",
              "diffusion", "fit", "noise", "patches"},
    "report": {"base", "tensor", "image", "graph", "models", "operators", "engine", "observe",
               "diffusion", "fit", "noise", "patches", "tasks"},
    "runs": {"base", "tensor", "image", "graph", "models", "operators", "engine", "observe",
             "diffusion", "fit", "noise", "patches", "tasks", "report"},
}

# Each header of include/unmar belongs to a room. No room may include the umbrella.
UMBRELLA = "unmar.h"
HEADER_ROOM = {
    "error.h": "base",
    "files.h": "base",
    "process.h": "base",
    "random.h": "base",
    "checksum.h": "base",
    "tensor.h": "tensor",
    "archive.h": "tensor",
    "image.h": "image",
    "ops.h": "graph",
    "graph.h": "graph",
    "models.h": "models",
    "ddpm_unet.h": "models",
    "engine.h": "engine",
    "operators.h": "operators",
    "observe.h": "observe",
    "diffusion.h": "diffusion",
    "weights.h": "diffusion",
    "dataset.h": "diffusion",
    "trainer.h": "diffusion",
    "unet_model.h": "diffusion",
    "fit.h": "fit",
    "stages.h": "fit",
    "stop.h": "fit",
    "deep_image_prior.h": "fit",
    "noise.h": "noise",
    "patches.h": "patches",
    "options.h": "tasks",
    "refine.h": "tasks",
    "tasks.h": "tasks",
    "version.h": "tasks",
}


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
        "zlib", r"zlib\.h", r"\bgz(open|read|close)\b", r"\bZLIB\b", ("src/diffusion/", "tests/diffusion/")
    ),
    Library("Eigen", r"Eigen/", r"\bEigen::", r"\bEigen", ("src/noise/",)),
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
        self.used = {room: {} for room in ROOMS}  # room -> {room it includes: where}

    def check(self):
        for folder in ("include", "src", "apps", "examples", "python", "bench", "tests"):
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in CODE_SUFFIXES:
                    self._check_file(path)
        links = {}
        for path in sorted((self.root / "src").glob("*/CMakeLists.txt")):
            links.update(self._check_cmake(path))
        self._check_links(links)
        return self.problems

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
        """The room, or the folder outside of them, that a file belongs to; None: cannot be told."""
        if folders[0] == "src":
            if len(folders) > 2 and folders[1] in ROOMS:
                return folders[1]
            self._report("/".join(folders), "is in no room that scripts/check_rooms.py knows")
            return None
        if folders[0] == "include":
            if len(folders) == 4 and folders[2] in ROOMS:
                return folders[2]
            if folders[-1] == UMBRELLA or folders[-1] in HEADER_ROOM:
                return HEADER_ROOM.get(folders[-1], UMBRELLA)
            self._report(
                "/".join(folders), "belongs to no room yet; name it in scripts/check_rooms.py"
            )
            return None
        return folders[0]

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

    @staticmethod
    def _who(owner):
        return f"room '{owner}'" if owner in ROOMS else f"'{owner}'"

    def _check_include(self, path, where, owner, header):
        if owner in ("tests", "bench"):
            return  # they look inside on purpose
        first, _, rest = header.partition("/")
        if first == "unmar":
            folder, _, file = rest.partition("/")
            target = folder if file and folder in ROOMS else HEADER_ROOM.get(rest, rest)
        elif first in ROOMS and rest:
            target = first
        elif (path.parent / header).is_file() and ".." not in header:
            return  # a file beside it
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
        elif owner != target:
            if target not in ROOMS[owner]:
                of = f"room '{target}'" if target in ROOMS else "all rooms"
                self._report(where, f"room '{owner}' may not include \"{header}\" of {of}")
            else:
                self.used[owner].setdefault(target, where)

    def _check_cmake(self, path):
        """Checks one room's unmar_room() call; returns {room: rooms it links}."""
        name = path.relative_to(self.root).as_posix()
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        call = re.search(r"unmar_room\s*\(([^)]*)\)", text)
        if not call:
            self._report(f"{name}:1", "has no unmar_room(...)")
            return {}
        number = text[: call.start()].count("\n") + 1
        where = f"{name}:{number}"
        words = call.group(1).split()
        room = words[0] if words else ""
        if room != path.parent.name or room not in ROOMS:
            self._report(where, f"unmar_room({room}) does not name its folder's room")
            return {}
        lists, current = {}, None
        for word in words[1:]:
            if word in ("SOURCES", "LINKS", "PRIVATE_LINKS"):
                current = lists.setdefault(word, [])
            elif current is not None:
                current.append(word)
        linked = set(lists.get("LINKS", []))
        for other in sorted(linked - ROOMS[room]):
            self._report(where, f"room '{room}' may not link '{other}'")
        for library in LIBRARIES:
            home = any(f.startswith(f"src/{room}/") for f in library.folders)
            if not home and re.search(library.target, text, re.IGNORECASE):
                self._report(where, f"room '{room}' may not link {library.name}")
        return {room: (where, linked & ROOMS[room])}

    def _check_links(self, links):
        """Whatever a room includes it must link, directly or through a room that it links."""
        for room, (where, linked) in links.items():
            reached, todo = set(), list(linked)
            while todo:
                other = todo.pop()
                if other not in reached:
                    reached.add(other)
                    todo.extend(links.get(other, ("", set()))[1])
            for other, seen_at in sorted(self.used[room].items()):
                if other not in reached:
                    self._report(
                        where, f"room '{room}' does not link '{other}', which {seen_at} includes"
                    )


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    if not (root / "src").is_dir():
        raise SystemExit(f"check_rooms.py: {root} has no folder src")
    checker = Checker(root)
    problems = checker.check()
    print("\n".join(problems) if problems else f"{checker.includes} includes, all allowed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
