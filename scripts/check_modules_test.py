#!/usr/bin/env python3
"""Proves that check_modules.py sees each kind of violation, and only those."""

import pathlib
import tempfile
import unittest

from check_modules import Checker

# A small tree that keeps every rule.
CLEAN = {
    "include/unmar/base/error.h": "#pragma once\n",
    "include/unmar/tensor/tensor.h": "#include <vector>\n",
    "include/unmar/image/image.h": '#include "unmar/tensor/tensor.h"\n',
    "include/unmar/graph/ops.h": '#include "unmar/tensor/tensor.h"\n',
    "include/unmar/graph/graph.h": '#include "unmar/graph/ops.h"\n',
    "include/unmar/models/models.h": '#include "unmar/graph/graph.h"\n',
    "include/unmar/engine/engine.h": '#include "unmar/graph/graph.h"\n',
    "include/unmar/unmar.h": '#include "unmar/engine/engine.h"\n#include "unmar/models/models.h"\n',
    "src/CMakeLists.txt": "".join(
        f"add_subdirectory({module})\n"
        for module in ("base", "tensor", "image", "graph", "models", "engine")
    ),
    "src/base/CMakeLists.txt": "unmar_module(base SOURCES fail.cpp)\n",
    "src/base/fail.h": '#include "unmar/base/error.h"\n',
    "src/tensor/CMakeLists.txt": "unmar_module(tensor SOURCES tensor.cpp LINKS base)\n",
    "src/tensor/tensor.cpp": '#include "unmar/tensor/tensor.h"\n#include "base/fail.h"\n',
    "src/image/CMakeLists.txt": "unmar_module(image SOURCES read.cpp\n  LINKS tensor"
    " PRIVATE_LINKS PkgConfig::vips)\n",
    "src/image/read.cpp": '#include "unmar/image/image.h"\n#include <vips/vips8>\n'
    '#include "base/fail.h"\n',
    "src/graph/CMakeLists.txt": "unmar_module(graph SOURCES graph.cpp LINKS tensor)\n",
    "src/graph/graph.cpp": '#include "unmar/graph/graph.h"\n#include "graph/params.h"\n',
    "src/graph/params.h": '#include "unmar/tensor/tensor.h"\n// not "hwy/highway.h", not hwy::N\n',
    "src/models/CMakeLists.txt": "unmar_module(models SOURCES skip.cpp LINKS graph)\n",
    "src/models/skip.cpp": '#include "unmar/models/models.h"\n',
    "src/engine/CMakeLists.txt": "unmar_module(engine SOURCES a.cpp LINKS graph"
    " PRIVATE_LINKS PkgConfig::hwy)\n",
    "src/engine/cpu/a.cpp": "#include <hwy/highway.h>\nhwy::N lanes;\n",
    "apps/cli/main.cpp": '#include <CLI/CLI.hpp>\n#include "unmar/unmar.h"\n#include "help.h"\n',
    "apps/cli/help.h": "#pragma once\n",
    "apps/cli/commands/pick.cpp": '#include "help.h"\n',
    "tests/engine/a_test.cpp": '#include "engine/cpu/a.h"\n',
}


class CheckModules(unittest.TestCase):
    def check(self, **changes):
        """Problems of the clean tree with these files added or replaced."""
        files = dict(CLEAN)
        files.update(changes)
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return Checker(root).check()

    def assert_one(self, name, text, *expected):
        problems = self.check(**{name: text})
        self.assertEqual(len(problems), 1, problems)
        for part in expected:
            self.assertIn(part, problems[0])

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.check(), [])

    def test_a_module_to_the_right(self):
        self.assert_one(
            "src/graph/bad.cpp",
            '\n#include "unmar/engine/engine.h"\n',
            "src/graph/bad.cpp:2: module 'graph' may not include \"unmar/engine/engine.h\"",
        )

    def test_a_private_header_of_a_module_to_the_right(self):
        self.assert_one(
            "src/base/bad.cpp", '#include "graph/params.h"\n', "module 'base'", "module 'graph'"
        )

    def test_siblings(self):
        for module, other in (("image", "graph"), ("graph", "image"), ("models", "engine")):
            with self.subTest(module=module):
                self.assert_one(
                    f"src/{module}/bad.cpp", f'#include "unmar/{other}/a.h"\n', f"module '{other}'"
                )

    def test_angle_brackets_do_not_hide_it(self):
        self.assert_one("src/graph/bad.cpp", "#include <unmar/engine/engine.h>\n", "module 'engine'")

    def test_a_public_header_that_looks_right(self):
        self.assert_one(
            "include/unmar/graph/graph.h",
            '#include "unmar/engine/engine.h"\n',
            "include/unmar/graph/graph.h:1: module 'graph'",
        )

    def test_a_public_header_that_looks_inside(self):
        self.assert_one(
            "include/unmar/unmar.h", '#include "base/fail.h"\n', "only unmar/*.h and its own"
        )

    def test_the_umbrella_inside(self):
        self.assert_one("src/models/bad.cpp", '#include "unmar/unmar.h"\n', "of all modules")

    def test_an_unknown_public_header(self):
        self.assert_one("include/unmar/new.h", "", "include/unmar/new.h: is in no module")

    def test_a_public_header_that_needs_a_library(self):
        self.assert_one(
            "include/unmar/image/image.h",
            "#include <vector>\n#include <fmt/core.h>\n",
            "include/unmar/image/image.h:2: a public header may not include <fmt/core.h>",
        )

    def test_an_unknown_module(self):
        self.assert_one("src/helpers/a.cpp", "", "src/helpers/a.cpp: is in no module")

    def test_a_module_that_is_not_built(self):
        problems = self.check(
            **{"src/helpers/CMakeLists.txt": "unmar_module(helpers SOURCES a.cpp)\n"}
        )
        self.assertEqual(problems, ["src/helpers/CMakeLists.txt: is not in src/CMakeLists.txt"])

    def test_an_app_that_looks_inside(self):
        self.assert_one(
            "apps/cli/bad.cpp", '#include "base/fail.h"\n', "apps/cli/bad.cpp:1: 'apps' may not"
        )

    def test_a_module_that_looks_into_the_folder_above(self):
        problems = self.check(
            **{"src/graph/a.h": "#pragma once\n", "src/graph/x/bad.cpp": '#include "a.h"\n'}
        )
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("whose is it?", problems[0])

    def test_a_way_round_through_parent_folders(self):
        self.assert_one("src/graph/bad.cpp", '#include "../base/fail.h"\n', "whose is it?")

    def test_libraries_outside_their_folders(self):
        for name, header, library in (
            ("src/engine/ref/bad.cpp", "<hwy/highway.h>", "Highway"),
            ("src/graph/bad.cpp", '"hwy/targets.h"', "Highway"),
            ("apps/cli/bad.cpp", "<vips/vips8>", "libvips"),
            ("src/base/bad.cpp", "<CLI/CLI.hpp>", "CLI11"),
        ):
            with self.subTest(name=name):
                problems = self.check(**{name: f"#include {header}\n"})
                self.assertIn(f"{name}:1: ", problems[0])
                self.assertIn(library, problems[0])

    def test_a_library_used_without_its_header(self):
        self.assert_one("src/graph/bad.cpp", "hwy::N m;\n", "use Highway")

    def test_a_link_to_the_right(self):
        self.assert_one(
            "src/graph/CMakeLists.txt",
            "# modules\nunmar_module(graph SOURCES graph.cpp LINKS tensor engine)\n",
            "src/graph/CMakeLists.txt:2: module 'graph' may not link 'engine', which is not to its left",
        )

    def test_a_link_that_is_missing(self):
        self.assert_one(
            "src/models/CMakeLists.txt",
            "unmar_module(models SOURCES skip.cpp)\n",
            "include/unmar/models/models.h:1: module 'models'",
        )

    def test_a_library_linked_elsewhere(self):
        self.assert_one(
            "src/graph/CMakeLists.txt",
            "unmar_module(graph SOURCES graph.cpp LINKS tensor PRIVATE_LINKS PkgConfig::hwy)\n",
            "module 'graph' may not link Highway",
        )

    def test_a_module_by_another_name(self):
        problems = self.check(
            **{"src/models/CMakeLists.txt": "unmar_module(model SOURCES skip.cpp LINKS graph)\n"}
        )
        self.assertIn("does not name its folder", problems[0])


if __name__ == "__main__":
    unittest.main()
