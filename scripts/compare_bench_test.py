#!/usr/bin/env python3
"""Tests compare_bench.py as a program."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).with_name("compare_bench.py")


class CompareBench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compare(self, old, new):
        for name, value in (("old", old), ("new", new)):
            (self.folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
        command = [sys.executable, "-B", PROGRAM, self.folder / "old", self.folder / "new"]
        return subprocess.run(command, capture_output=True, text=True)

    def test_prints_the_ratio_of_every_number_that_both_have(self):
        old = {"facts": {"commit": "a"}, "step": {"seconds": 2.0}, "gone": 1}
        new = {"facts": {"commit": "b"}, "step": {"seconds": 0.5}, "kinds": [{"kind": "x", "n": 1}]}
        done = self.compare(old, new)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"commit +a  ->  b")
        self.assertRegex(done.stdout, r"step\.seconds +2 +0\.5 +0\.250")
        self.assertNotIn("gone", done.stdout)

    def test_finds_list_entries_by_their_kind(self):
        old = {"facts": {}, "kinds": [{"kind": "norm", "n": 1}, {"kind": "conv", "n": 2}]}
        new = {"facts": {}, "kinds": [{"kind": "conv", "n": 3}]}
        self.assertRegex(self.compare(old, new).stdout, r"kinds\.conv\.n +2 +3 +1\.500")

    def test_divides_by_no_zero(self):
        done = self.compare({"facts": {}, "n": 0}, {"facts": {}, "n": 1})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"n +0 +1 +-")

    def test_refuses_what_is_no_such_file(self):
        good = {"facts": {}, "n": 1}
        for bad in ("", "[]", "{}", "not JSON"):
            done = self.compare(good, bad)
            self.assertEqual(done.returncode, 1, bad)
            self.assertIn("new is no file of ./run bench --json", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
