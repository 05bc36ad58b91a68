"""The examples of the page on JavaScript run, in a page in miniature, to the end of their timers."""

import re
import textwrap
from pathlib import Path

import pytest

from tests.support import node
from tests.support.processes import ROOT

BLOCK = re.compile(r"^\.\. code-block:: javascript\n\n((?:    .*\n|\n)+)", re.MULTILINE)
BLOCKS = [textwrap.dedent(found) for found in BLOCK.findall((ROOT / "docs/javascript.rst").read_text())]

TEST = """
import assert from "node:assert/strict";
import { test } from "node:test";
import { channels, clock, inPage, latest, sockets } from "%(support)s";
inPage();
test("example", () => {
%(block)s
  if (latest().readyState === 0) latest().accept();
  latest().deliver('{"stream": "chat", "payload": {"text": "Hello"}}');
  const before = sockets.length;
  clock.pass(40_000);
  assert.ok(latest().sent.length || sockets.length > before, "nothing was sent and nothing connected again");
});
"""

pytestmark = pytest.mark.slow


def test_examples_are_found() -> None:
    """The pattern still finds them."""
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_example_runs(tmp_path: Path, number: int) -> None:
    """It sends something, or connects again, and throws nothing."""
    script = tmp_path / "example.test.mjs"
    script.write_text(TEST % {"support": node.CLIENT / "tests/support.js", "block": BLOCKS[number]})
    node.run([node.require("node"), "--test", script])
