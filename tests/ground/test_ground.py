"""Exceptions, counters, pauses, settings, console logging and names of things."""

import functools
import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import conf, counters, log
from channels.backoff import Backoff
from channels.exceptions import DenyConnection, WebsocketCloseException
from channels.utils import name_that_thing


@pytest.mark.parametrize("code", [None, 1000, 1001, 1008, 1013, 3000, 4999])
def test_close_exception_takes_codes_that_applications_may_send(code):
    """None, those that the standard gives a meaning, and the ranges for libraries and applications."""
    assert WebsocketCloseException(code).code == code


@pytest.mark.parametrize("code", [0, 1005, 1006, 1015, 2999, 5000, "1000", True])
def test_close_exception_refuses_other_codes(code):
    """Everything else is an error where it is raised, not in the worker."""
    with pytest.raises(ValueError, match=r"must be 1000 or from \[3000, 4999\]"):
        WebsocketCloseException(code)


@pytest.mark.parametrize("status", [200, 399, 600, True])
def test_denial_needs_an_error_status(status):
    """A refused handshake cannot carry a success."""
    with pytest.raises(ValueError, match="from 400 to 599"):
        DenyConnection(status=status)


def test_counters_add_up():
    """A snapshot holds what was counted since."""
    before = counters.value("test.counted.here")
    counters.add("test.counted.here")
    counters.add("test.counted.here", 2)
    assert counters.snapshot()["test.counted.here"] == before + 3


@given(st.integers(min_value=1, max_value=60))
def test_pauses_grow_to_a_bound_and_start_over(failures):
    """No pause is longer than the bound; after a recovery they are short again."""
    backoff = Backoff(first=0.1, longest=5.0)
    pauses = [backoff.failed() for _ in range(failures)]
    assert all(0.05 <= pause <= 5.0 for pause in pauses)
    assert backoff.recovered()
    assert not backoff.recovered()
    assert backoff.failed() <= 0.1


def test_settings_have_defaults_and_can_be_overridden(settings):
    """A setting is read when asked for."""
    assert conf.get("CHANNELS_AUTO_ACCEPT") is True
    settings.CHANNELS_AUTO_ACCEPT = False
    assert conf.get("CHANNELS_AUTO_ACCEPT") is False


def test_unknown_settings_are_refused():
    """A typing error in our own code does not read as a default."""
    with pytest.raises(KeyError):
        conf.get("CHANNELS_NO_SUCH_SETTING")


@pytest.fixture
def channel_logger(monkeypatch):
    """A logger of its own, with the handler of the commands writing to a string."""
    stream = io.StringIO()
    monkeypatch.setattr(log.handler, "stream", stream)
    logger = logging.getLogger("tests.channels.console")
    yield logger, stream
    logger.removeHandler(log.handler)


def test_command_logger_writes_once_however_often_it_is_set_up(channel_logger):
    """A second call adds no second handler."""
    logger, stream = channel_logger
    log.setup_logger(logger.name)
    log.setup_logger(logger.name)
    logger.info("hello")
    assert stream.getvalue().count("hello") == 1


@pytest.mark.parametrize(("verbosity", "level"), [(0, logging.WARNING), (1, logging.INFO), (2, logging.DEBUG)])
def test_command_logger_follows_the_verbosity(channel_logger, verbosity, level):
    """``-v`` chooses the level."""
    logger, _ = channel_logger
    assert log.setup_logger(logger.name, verbosity).level == level


def test_command_logger_leaves_the_console_to_the_project(channel_logger, monkeypatch):
    """A project that prints the record itself does not see it twice."""
    logger, stream = channel_logger
    console = io.StringIO()
    monkeypatch.setattr("sys.stderr", console)
    own = logging.StreamHandler(console)
    monkeypatch.setattr(logging.getLogger("tests.channels"), "handlers", [own])
    log.setup_logger(logger.name)
    logger.info("hello")
    assert stream.getvalue() == ""
    assert console.getvalue() == "hello\n"


class Thing:
    """Something to name."""

    def method(self):
        """Be bound."""

    @classmethod
    def build(cls):
        """Be bound to the class."""


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (Thing, f"{__name__}.Thing"),
        (Thing(), f"{__name__}.Thing"),
        (Thing().method, f"{__name__}.Thing.method"),
        (Thing.build, f"{__name__}.Thing.build"),
        (functools.partial(name_that_thing, 1), "channels.utils.name_that_thing"),
        (name_that_thing, "channels.utils.name_that_thing"),
        ("text", "'text'"),
    ],
)
def test_things_are_named_by_their_path(thing, name):
    """Functions, classes, instances, bound methods and partials have dotted names."""
    assert name_that_thing(thing) == name
