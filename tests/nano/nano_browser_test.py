#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests the clicking of tools/nano/glmnano/browser.py: nano_browser_test.py ROOT BROWSER.

Every wanted page must pass, and every page with a planted mistake must fail.
"""

import sys
import unittest

sys.path.insert(0, sys.argv[1] + "/tools/nano")
BROWSER = sys.argv[2]
del sys.argv[1:]

from glmnano.browser import click_through  # noqa: E402
from glmnano.judge import fenced  # noqa: E402
from glmnano.skills import pages  # noqa: E402
from glmnano.split import Split, rng_of  # noqa: E402

MISTAKES = [("alert(", "alrt("), ("alert('", "alert('x"), ("this.textContent = this.n", "this.n"), ("'none'", "'block'"),
            ("this.style.background", "this.style.colour"), ("this.textContent = '", "this.textContent = 'x"), ("#e1 { color: ", "#e1 { colour: "),
            ("<button", "<p"), ("</body>", "<p>more</p></body>"), ("body { background: ", "body { backgrounds: ")]


class Clicking(unittest.TestCase):
    def setUp(self):
        dialogues = [pages.make(Split(True), rng_of("browser", i)) for i in range(60)]
        self.pages = [(d.check, fenced(d.messages[-1]["content"], "html")) for d in dialogues]

    def test_wanted_pages_pass(self):
        self.assertEqual(set(click_through(BROWSER, self.pages)), {""})

    def test_mistakes_are_found(self):
        planted = [(mistake, check, html.replace(*mistake)) for check, html in self.pages for mistake in MISTAKES if mistake[0] in html]
        self.assertEqual({m for m, _, _ in planted}, set(MISTAKES), "every mistake is planted somewhere")
        for (mistake, _, html), wrong in zip(planted, click_through(BROWSER, [(c, h) for _, c, h in planted])):
            self.assertNotEqual(wrong, "", (mistake, html))


if __name__ == "__main__":
    unittest.main()
