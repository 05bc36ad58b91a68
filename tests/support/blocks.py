"""The blocks of code in the documentation: where they stand, what they are, and what is not to be run, and why."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import ROOT

PAGES = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted((ROOT / "docs").rglob("*.rst"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]

_BLOCK = re.compile(
    r"""
    (?:^\ *\.\.\ shown\ only:\ (?P<reason>.+)\n\n)?
    ^(?P<indent>\ *)
    (?:\.\.\ checkpoint:\ (?P<checkpoint>\w+)$
      |(?:\.\.\ code-block::\ (?P<language>\S+)\ *\n (?P<options>(?:(?P=indent)\ +:[\w-]+:.*\n)*)
        |(?!\.\.)(?:\S.*)?::\ *\n)
       \ *\n
       (?P<body>(?:(?P=indent)\ +\S.*\n|\ *\n)+))
    """,
    re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True)
class Block:
    """A block, or a place at which a reader looks whether it is as the page says.

    Attributes:
        page: The file it stands in.
        line: Where.
        language: As its directive says; empty for a block without one, "look" for a checkpoint.
        caption: Of a block, mostly the file that it is; the name of a checkpoint.
        text: The block without its indentation.
        reason: Why it is only to be shown; empty for what a test runs.
    """

    page: Path
    line: int
    language: str
    caption: str
    text: str
    reason: str

    @property
    def is_command(self) -> bool:
        """Whether it is typed into a terminal."""
        return self.language in ("console", "bash") or (
            not self.language
            and re.match(r"(python|pip|django-admin|bash|tox|npm|celery|uvicorn)\b", self.text) is not None
        )

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks and checkpoints of ``page`` from top to bottom."""
    text = page.read_text(encoding="utf-8") + "\n"
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("indent")) + 1
        if found["checkpoint"]:
            yield Block(page, line, "look", found["checkpoint"], "", "")
            continue
        caption = re.search(r":caption: (.+)", found["options"] or "")
        body = textwrap.dedent(found["body"]).strip("\n") + "\n"
        yield Block(page, line, found["language"] or "", caption[1] if caption else "", body, found["reason"] or "")
