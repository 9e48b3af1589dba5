"""Every file of make_malformed.py gets its verdict, from our reader and from the reference implementation.

    python malformed_test.py [--large]

With --large the few huge files, which must also be read in bounded memory and without quadratic work.
"""

import argparse
import resource
import subprocess
import tempfile
import unittest

import make_malformed
from reference import VERDICTS_PROGRAM, reference_verdict

LARGE = False


class MalformedFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.index = make_malformed.write(cls.folder.name, [make_malformed.large] if LARGE else make_malformed.SMALL)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_corpus_is_whole(self):
        self.assertGreaterEqual(len(self.index), 3 if LARGE else 250)

    def test_our_verdicts(self):
        paths = "".join(f"{path}\n" for path, _, _ in self.index)
        run = subprocess.run([VERDICTS_PROGRAM, "files"], input=paths, capture_output=True, text=True, check=True,
                             timeout=300)
        verdicts = run.stdout.splitlines()
        self.assertEqual(len(verdicts), len(self.index))
        for (path, ours, _), verdict in zip(self.index, verdicts):
            with self.subTest(path.name):
                self.assertEqual(verdict, ours)

        kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(kilobytes, 1_000_000)

    def test_reference_verdicts(self):
        for path, ours, reference in self.index:
            with self.subTest(path.name):
                self.assertEqual(reference_verdict(path.read_bytes()), ours if reference == "=" else reference)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    args, rest = parser.parse_known_args()
    LARGE = args.large
    unittest.main(argv=[__file__, *rest])
