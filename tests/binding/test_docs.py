"""The page on data binding does what it says: its files make a project, and its tests and ours pass in it."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from channels import counters
from channels.binding import writing
from tests.docs.test_consumer_pages import BLOCK, DOCS
from tests.support import node
from tests.support.processes import ROOT

HERE = Path(__file__).parent / "page"
PAGE = (DOCS / "binding.rst").read_text(encoding="utf-8")


def test_page_makes_a_project_that_does_what_it_says(tmp_path):
    """Every block of Python is a file of it."""
    names = set()
    for found in BLOCK.finditer(PAGE):
        code = textwrap.dedent(found["body"])
        name = re.match(r"# ([\w/]+\.py)\n", code)[1]
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")
        names.add(name)
    assert len(names) == len(BLOCK.findall(PAGE))
    (tmp_path / "tasks" / "__init__.py").touch()
    for name, target in (("settings", "settings"), ("routing", "routing"), ("checks", "tasks/test_page")):
        shutil.copy(HERE / f"{name}.py", tmp_path / f"{target}.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", "test", "--settings", "settings"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Ran 10 tests" in done.stdout, done.stdout


def test_codes_of_the_page_are_those_of_the_package():
    """And each is counted under its name."""
    rows = dict(re.findall(r"^``(\w+)``  .+  ``message\.dropped\.(\w+)``$", PAGE, re.MULTILINE))
    assert rows == {code: code for code in rows}
    assert set(rows) == set(re.findall(r"``(\w+)``", writing.Refused.__doc__.split("fields:")[0])) - {"fields"}
    assert all(f"message.dropped.{code}" in counters.KNOWN for code in rows)


PAGE_TEST = """
import assert from "node:assert/strict";
import { test } from "node:test";
import { channels, inPage, latest } from "%(support)s";
inPage();
const seen = [];
const document = { getElementById: (id) => ({ remove: () => seen.push(id) }) };
const alert = (text) => seen.push(text), show = (pk, data) => seen.push([pk, data]);
test("example", () => {
%(block)s
  latest().accept();
  assert.deepEqual(latest().sent.map((frame) => JSON.parse(frame).payload.action), ["create", "update", "delete"]);
  for (const rest of [{ payload: { action: "update", pk: 3, data: { text: "x" } } },
                      { payload: { action: "delete", pk: 3, data: {} } },
                      { error: { code: "invalid", detail: "No." } }]) {
    latest().deliver(JSON.stringify({ stream: "tasks", ...rest }));
  }
  assert.deepEqual(seen, [[3, { text: "x" }], "task-3", "No."]);
});
"""


@pytest.mark.slow
def test_script_of_the_page_runs(tmp_path):
    """It sends what it asks for, and shows what it is told."""
    (block,) = re.findall(r"^\.\. code-block:: javascript\n\n((?:    .*\n|\n)+)", PAGE, re.MULTILINE)
    script = tmp_path / "example.test.mjs"
    script.write_text(PAGE_TEST % {"support": node.CLIENT / "tests/support.js", "block": block})
    node.run([node.require("node"), "--test", script])
