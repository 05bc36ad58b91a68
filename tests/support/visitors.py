"""Users of the examples in real browsers: what the pages of all of them have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from tests.support.chat import Site, browser
from tests.support.processes import ROOT

SCREENSHOTS = ROOT / "test-output"


class Visitor:
    """What one user sees and does in a browser.

    Args:
        chrome: The browser.
        site: The site.
        name: The user's.
    """

    example: ClassVar[str]
    """What the names of pictures begin with."""

    def __init__(self, chrome: Any, site: Site, name: str) -> None:
        self.chrome = chrome
        self.site = site
        self.name = name

    def arrive(self) -> None:
        """Become a user of the site."""
        raise NotImplementedError

    def js(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.chrome.execute_script(script, *arguments)

    def screenshot(self, name: str) -> None:
        """Keep a picture of the page in ``test-output/``, once nothing moves in it."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.js("return Promise.all(document.getAnimations().map((each) => each.finished.catch(() => 0)))")
        assert self.chrome.save_screenshot(str(SCREENSHOTS / f"{self.example}-{name}.png"))


V = TypeVar("V", bound=Visitor)


@contextmanager
def two_visitors(kind: type[V], site: Site) -> Iterator[tuple[V, V]]:
    """Give two users, who have arrived, in two browsers for the length of a ``with`` block."""
    with browser() as first, browser() as second:
        pair = (kind(first, site, "anna"), kind(second, site, "ben"))
        for visitor in pair:
            visitor.arrive()
        yield pair
