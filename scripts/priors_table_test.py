#!/usr/bin/env python3
"""Tests priors_table.py as a program, with one in unmar's place that makes up the numbers."""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).with_name("priors_table.py")
SIDE, PICTURES = 28, 6
# To DIP the GAN adds 1 dB plus the seed; the DDPM is always 2 dB below it, with half of the work.
STAND_IN = """#!{python} -IS
import json, sys
words = sys.argv[1:]
open({calls!r}, "a").write(" ".join(words) + "\\n")
seed = int(words[words.index("--seed") + 1])
if seed == {fails}:
    sys.exit("error: planted")
if words[0] == "degrade":
    sys.exit()
if words[0] == "denoise":
    open(words[words.index("--history") + 1], "w").write("psnr,psnr_average\\n1,\\n25,2\\n3,24\\n")
    sys.exit()
open(words[words.index("-o") + 1], "w").write("page")
result = lambda name, psnr: dict(name=name, psnr=psnr, ssim=psnr / 100, macs=2e9, cpu_seconds=1.5,
                                  iterations=7)
results = [result("DIP", 20 + seed), result("GAN", 21 + 2 * seed), result("DDPM", 18 + seed)]
results[2]["macs"] = 1e9
print(json.dumps(dict(psnr_input=10 + seed, ssim_input=0.1, results=results)))
"""


class PriorsTable(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.calls = self.folder / "calls"
        self.idx = self.folder / "pictures-idx3-ubyte"
        head = struct.pack(">IIII", 0x803, PICTURES, SIDE, SIDE)
        self.idx.write_bytes(head + bytes(i % 251 for i in range(PICTURES * SIDE * SIDE)))

    def table(self, *words, pictures=PICTURES, fails=-1):
        unmar = self.folder / "unmar"
        unmar.write_text(STAND_IN.format(python=sys.executable, calls=str(self.calls), fails=fails))
        unmar.chmod(0o755)
        command = [sys.executable, "-B", PROGRAM, self.folder / "out", "--set", f"some={self.idx}",
                   "--pictures", str(pictures), *words]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True,
                              env=os.environ | {"UNMAR": str(unmar)})  # fmt: skip

    def count_calls(self):
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def test_prints_means_and_paired_differences_with_their_interval(self):
        done = self.table()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("some, half missing: 6 pictures", done.stdout)
        self.assertIn("| DIP | 23.50 | 1.87 | 0.235 | 0.019 |  |  |  | 0 | 1.00 | 1.5 |", done.stdout)
        # Differences 2 to 7: mean 4.5, SD 1.871, t of 5 degrees of freedom 2.571.
        self.assertIn("| +4.50 ± 1.96 | +0.045 ± 0.020 | 6 | 6 | 1.00 |", done.stdout)
        self.assertIn("| −2.00 ± 0.00 | −0.020 ± 0.000 | 0 | 0 | 0.50 |", done.stdout)

    def test_does_not_do_again_what_is_done(self):
        self.table(pictures=2)
        self.assertEqual(self.count_calls(), 4)
        self.table(pictures=3)
        self.assertEqual(self.count_calls(), 6)
        self.assertIn("2 pictures", self.table("--table", pictures=2).stdout)
        self.assertEqual(self.count_calls(), 6)

    def test_tells_what_the_stop_of_the_fit_costs(self):
        done = self.table("--stops", "2", pictures=3)
        self.assertIn("some, noise 50, the first 2: what DIP would have at its best", done.stdout)
        self.assertIn("| DIP, as it stopped | 21.50 | 7 |\n| best running average | 24.00 | 3 |\n"
                      "| best iterate | 25.00 | 2 |\n| GAN | 24.00 | |\n", done.stdout)  # fmt: skip
        self.assertEqual(self.count_calls(), 2 * 3 + 2 * 2)

    def test_goes_on_where_a_run_failed(self):
        done = self.table(pictures=3, fails=2)
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: planted", done.stderr)
        self.assertIn("some, noise 50: 1 pictures", self.table("--table").stdout)
        self.assertEqual(self.table(pictures=3).returncode, 0)
        self.assertEqual(self.count_calls(), 1 + 2 * 3)

    def test_leaves_out_pictures_that_a_prior_could_not_restore(self):
        self.table(pictures=3)
        file = self.folder / "out/some/half_missing_1.json"
        facts = json.loads(file.read_text())
        del facts["results"][1]["psnr"]
        file.write_text(json.dumps(facts))
        self.assertIn("half missing: 2 pictures; 1 left out", self.table("--table").stdout)

    def test_refuses_what_is_no_set_of_such_pictures(self):
        self.assertIn("has 6 pictures, not 7", self.table(pictures=7).stderr)
        self.idx.write_bytes(struct.pack(">IIII", 0x803, PICTURES, 8, 8))
        self.assertIn("not a set of 28x28 pictures", self.table().stderr)


if __name__ == "__main__":
    unittest.main()
