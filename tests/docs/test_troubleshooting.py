"""What the page on troubleshooting names is there: log lines, counters, settings, commands, options, attributes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import load_command_class

import channels
from channels import conf, counters
from channels.generic.websockets import WebsocketConsumer
from channels.layers.redis import RedisChannelLayer
from tests.support.processes import ROOT

PACKAGE = Path(channels.__file__).parent
PAGE = (ROOT / "docs" / "troubleshooting.rst").read_text(encoding="utf-8")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8") for kind in ("py", "js") for path in sorted(PACKAGE.rglob(f"*.{kind}"))
)
LITERALS = re.findall(r"``([^`]+)``", PAGE)

CHANNELS = {"http.request", "websocket.connect"}
LOGGERS = {"django.channels"}

LOG_LINES = {
    "Could not find match for message": "Could not find match for message on %s!",
    '"holds N unread messages, its capacity"': "unread messages, its capacity",
    '"The channel layer cannot be reached; trying again until it can"': "The channel layer cannot be reached; trying",
    "It hangs. It is killed, what it runs is lost, and another is started.": "hangs. It is killed, what it runs is",
    'says "no answer"': "no answer for",
    "got no response": "got no response on",
}
"""What the page, or that on deploying, quotes, and how the source writes it."""


def named_counters() -> Iterator[str]:
    """Yield the names on the page that look like counters."""
    for text in (*LITERALS, *re.findall(r"\*\*([\w.]+)\.\*\*", PAGE), *re.findall(r"\(([a-z_]+\.[a-z_.]+)\)", PAGE)):
        if re.fullmatch(r"[a-z]+\.[a-z]+\.[a-z_]+", text):
            yield text


@pytest.mark.parametrize("name", sorted(set(named_counters())))
def test_counter_is_one_that_is_counted(name: str) -> None:
    """It is in the list of counters, which other tests compare with the source."""
    assert name in counters.KNOWN


def test_counters_are_found_on_the_page() -> None:
    """The pattern that finds them still does."""
    assert {"message.dropped.expired", "websocket.refused.timeout", "layer.failed.connection"} <= set(named_counters())


def quotes(text: str, words: str) -> bool:
    """Return whether ``text`` has these words, on however many lines."""
    return re.search(r"\s+".join(map(re.escape, words.split())), text) is not None


@pytest.mark.parametrize("line", LOG_LINES)
def test_log_line_is_one_that_is_written(line: str) -> None:
    """The page quotes what the source says."""
    pages = PAGE + (ROOT / "docs" / "deploying.rst").read_text(encoding="utf-8")
    assert quotes(pages, line)
    assert quotes(re.sub(r'"\s*\n\s*f?"', "", SOURCES), LOG_LINES[line])


def test_settings_are_there() -> None:
    """Each name that begins as those of this package do is one of them."""
    named = set(re.findall(r"\bCHANNELS_[A-Z_]+\b", PAGE))
    assert "CHANNELS_WEBSOCKET_TIMEOUT" in named
    assert named - set(conf.SETTINGS) == set()


def test_commands_are_there() -> None:
    """Actions of ``manage.py channels`` that the page tells to run or to look at."""
    parser = load_command_class("channels", "channels").create_parser("manage.py", "channels")
    (actions,) = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
    named = re.findall(r"manage\.py channels (\w+)", PAGE) + [text for text in LITERALS if text in actions]
    assert {"doctor", "status"} <= set(named)
    assert set(named) <= set(actions)


def test_options_of_commands_are_there() -> None:
    """Of ``runworker``, on this page."""
    parser = load_command_class("channels", "runworker").create_parser("manage.py", "runworker")
    named = {text for text in LITERALS if text.startswith("--")}
    assert named
    assert named - set(parser._option_string_actions) == set()


def test_options_of_layers_and_consumers_are_there() -> None:
    """The page names them by the names that they have."""
    arguments = RedisChannelLayer(
        hosts=["redis://127.0.0.1:1/0"], capacity=1, expiry=1, symmetric_encryption_keys=["x"]
    )
    assert arguments.expiry == 1
    assert WebsocketConsumer.http_user is False
    for name in ("expiry", "symmetric_encryption_keys", "http_user = True"):
        assert name in LITERALS


def test_literals_are_all_accounted_for() -> None:
    """Nothing on the page is of a kind that nobody looks at."""
    known = (
        *(r"CHANNELS_[A-Z_]+", r"python manage\.py channels \w+", r"[a-z]+\.[a-z]+\.[a-z_]+"),
        *("check", "--hang-time", "--processes"),
        *("status", "expiry", "symmetric_encryption_keys", "http_user = True"),
        *("ALLOWED_HOSTS", "SLOWLOG GET", r"django\.db\.transaction\.on_commit", "dropped"),
        *map(re.escape, CHANNELS | LOGGERS),
    )
    assert [text for text in LITERALS if not any(re.fullmatch(pattern, text) for pattern in known)] == []
