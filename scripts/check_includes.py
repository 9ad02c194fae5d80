#!/usr/bin/env python3
"""Checks that files of the product can be compiled alone: what they name, they include.

    scripts/check_includes.py [ROOT]

Tests are built many files at a time, where a file may live off the includes of its neighbours. A
file by itself, as users build it, then does not compile. Looked at are types of this project that
have one header, and fmt; a header counts with all that it includes. Prints one line per violation
and ends with 1 if there are any.
"""

import pathlib
import re
import sys

FOLDERS = ("include", "src", "apps")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
)
TYPE = re.compile(r"^(?:template <[^\n]*>\s*)?(?:class|struct|enum class|enum) (\w+)[^;()]*?\{", re.MULTILINE)
DECLARED = re.compile(r"\b(?:class|struct|enum|union|using|typename|concept) (\w+)")
NAME = re.compile(r"(?<![\w:.>])([A-Z]\w+)\b(?!::\w+\s*\{)")


class Files:
    def __init__(self, root):
        self.root = root
        self.text = {}  # without comments and strings
        self.included = {}  # files of this project
        self.outside = {}  # other headers
        for folder in FOLDERS:
            for path in sorted((root / folder).rglob("*")):
                if path.suffix in (".h", ".cpp"):
                    raw = path.read_text(encoding="utf-8")
                    self.text[path] = COMMENT_OR_STRING.sub(" ", raw)
                    self._read_includes(path, raw)

    def _read_includes(self, path, raw):
        self.included[path], self.outside[path] = set(), set()
        for header in INCLUDE.findall(raw):
            for folder in (path.parent, self.root / "include", self.root / "src", self.root / "apps/cli"):
                if (folder / header).is_file():
                    self.included[path].add((folder / header).resolve())
                    break
            else:
                self.outside[path].add(header)

    def closure(self, path):
        """The file and all of this project that it includes, by any way."""
        seen, todo = set(), [path]
        while todo:
            file = todo.pop()
            if file not in seen:
                seen.add(file)
                todo += self.included.get(file, ())
        return seen


def owners(files):
    """Type -> its header, of types that are made in one header only."""
    found = {}
    for path, text in files.text.items():
        if path.suffix == ".h":
            for name in TYPE.findall(text):
                found.setdefault(name, set()).add(path)
    return {name: min(paths) for name, paths in found.items() if len(paths) == 1}


def problems(root):
    files = Files(root.resolve())
    header_of = owners(files)
    for path, text in files.text.items():
        if path.suffix != ".cpp" or "kernels" in path.parts:
            continue
        reached = files.closure(path)
        declared = {name for file in reached for name in DECLARED.findall(files.text.get(file, ""))}
        where = path.relative_to(root.resolve())
        for name in sorted(set(NAME.findall(text))):
            header = header_of.get(name)
            if header and header not in reached and name not in declared:
                yield f"{where}: names {name}, but does not include {header.relative_to(root.resolve())}"
        outside = {header for file in reached for header in files.outside.get(file, ())}
        if re.search(r"\bfmt::", text) and not any(h.startswith("fmt/") for h in outside):
            yield f"{where}: uses fmt, but does not include <fmt/format.h>"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = list(problems(root))
    print("\n".join(found) or "what files name, they include")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
