#!/usr/bin/env python3
"""Checks who includes whom: a module of src/ may look only at modules to its left.

    scripts/check_modules.py [ROOT]

Prints one line per violation, `file:line: module 'x' may not include ...`, and ends with 1 if there
are any. docs/design.md draws the picture; the tables below are the rule.
"""

import dataclasses
import pathlib
import re
import sys

# What each module may include besides itself. Siblings: image and graph; models, operators and
# engine; diffusion and fit.
MODULES = {
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

# Each header of include/unmar belongs to a module. No module may include the umbrella.
UMBRELLA = "unmar.h"
HEADER_MODULE = {
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
        self.used = {module: {} for module in MODULES}  # module -> {module it includes: where}

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
        """The module, or the folder outside of them, that a file belongs to; None: cannot be told."""
        if folders[0] == "src":
            if len(folders) > 2 and folders[1] in MODULES:
                return folders[1]
            self._report("/".join(folders), "is in no module that scripts/check_modules.py knows")
            return None
        if folders[0] == "include":
            if len(folders) == 4 and folders[2] in MODULES:
                return folders[2]
            if folders[-1] == UMBRELLA or folders[-1] in HEADER_MODULE:
                return HEADER_MODULE.get(folders[-1], UMBRELLA)
            self._report(
                "/".join(folders), "belongs to no module yet; name it in scripts/check_modules.py"
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
        return f"module '{owner}'" if owner in MODULES else f"'{owner}'"

    def _check_include(self, path, where, owner, header):
        if owner in ("tests", "bench"):
            return  # they look inside on purpose
        first, _, rest = header.partition("/")
        if first == "unmar":
            folder, _, file = rest.partition("/")
            target = folder if file and folder in MODULES else HEADER_MODULE.get(rest, rest)
        elif first in MODULES and rest:
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
            if target not in MODULES[owner]:
                of = f"module '{target}'" if target in MODULES else "all modules"
                self._report(where, f"module '{owner}' may not include \"{header}\" of {of}")
            else:
                self.used[owner].setdefault(target, where)

    def _check_cmake(self, path):
        """Checks one module's unmar_module() call; returns {module: modules it links}."""
        name = path.relative_to(self.root).as_posix()
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        call = re.search(r"unmar_module\s*\(([^)]*)\)", text)
        if not call:
            self._report(f"{name}:1", "has no unmar_module(...)")
            return {}
        number = text[: call.start()].count("\n") + 1
        where = f"{name}:{number}"
        words = call.group(1).split()
        module = words[0] if words else ""
        if module != path.parent.name or module not in MODULES:
            self._report(where, f"unmar_module({module}) does not name its folder's module")
            return {}
        lists, current = {}, None
        for word in words[1:]:
            if word in ("SOURCES", "LINKS", "PRIVATE_LINKS"):
                current = lists.setdefault(word, [])
            elif current is not None:
                current.append(word)
        linked = set(lists.get("LINKS", []))
        for other in sorted(linked - MODULES[module]):
            self._report(where, f"module '{module}' may not link '{other}'")
        for library in LIBRARIES:
            home = any(f.startswith(f"src/{module}/") for f in library.folders)
            if not home and re.search(library.target, text, re.IGNORECASE):
                self._report(where, f"module '{module}' may not link {library.name}")
        return {module: (where, linked & MODULES[module])}

    def _check_links(self, links):
        """Whatever a module includes it must link, directly or through a module that it links."""
        for module, (where, linked) in links.items():
            reached, todo = set(), list(linked)
            while todo:
                other = todo.pop()
                if other not in reached:
                    reached.add(other)
                    todo.extend(links.get(other, ("", set()))[1])
            for other, seen_at in sorted(self.used[module].items()):
                if other not in reached:
                    self._report(
                        where, f"module '{module}' does not link '{other}', which {seen_at} includes"
                    )


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
