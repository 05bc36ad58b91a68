"""System checks, run as ``manage.py check`` runs them: each mistake is found, named, and answered by a hint."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import get_commands
from django.db import connection

from channels import conf
from channels.checks.catalogue import CATALOGUE, TAG
from channels.delay.models import DelayedMessage
from channels.registry import OLD_BACKENDS

INMEMORY = {"BACKEND": "channels.layers.inmemory.ChannelLayer", "ROUTING": []}
REDIS = {"BACKEND": "channels.layers.redis.RedisChannelLayer", "ROUTING": []}


def run(deploy: bool = False) -> list[checks.CheckMessage]:
    """Run the checks of the package that need no database."""
    return checks.run_checks(tags=[TAG], include_deployment_checks=deploy, databases=[])


def ids(**options: Any) -> list[str]:
    """Return the ids of what is found."""
    return sorted(str(message.id) for message in run(**options))


def only(number: str, **options: Any) -> checks.CheckMessage:
    """Return the one message that is found, which must have this number."""
    (message,) = run(**options)
    assert message.id == f"channels.{number}"
    return message


@pytest.fixture(autouse=True)
def decided(settings: Any) -> None:
    """A project that has made its choices; other tests made Django forget whose command is ``runserver``."""
    apps.get_app_config("channels").ready()
    settings.CHANNELS_AUTO_ACCEPT = True
    settings.CHANNELS_REJECT_UNROUTED = True


def test_sound_project_passes() -> None:
    """Nothing is found where nothing is wrong."""
    assert ids() == []


def test_catalogue_is_in_order_and_whole() -> None:
    """Ids are those they are listed under, each once, and every one says what to do."""
    letters = {letter: [key for key in CATALOGUE if key.startswith(f"channels.{letter}")] for letter in "EW"}
    for letter, found in letters.items():
        assert found == [f"channels.{letter}{number:03}" for number in range(1, len(found) + 1)]
    assert all(mistake.meaning and mistake.hint for mistake in CATALOGUE.values())


def test_every_mistake_of_the_catalogue_has_a_test() -> None:
    """Its number stands in this module."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [key for key in CATALOGUE if not re.search(rf'"(channels\.)?{key.split(".")[1]}"', text)] == []


# CHANNEL_LAYERS


@pytest.mark.parametrize(
    ("layers", "number", "named"),
    [
        ([INMEMORY], "E003", "CHANNEL_LAYERS must be a dict"),
        ({"default": "inmemory"}, "E003", "'default'"),
        ({"default": {**INMEMORY, "CONFIG": ["expiry"]}}, "E003", "CONFIG"),
        ({"default": {**INMEMORY, "TEST_CONFIG": None}}, "E003", "TEST_CONFIG"),
        ({"default": {"ROUTING": []}}, "E004", "BACKEND"),
        ({"default": {"BACKEND": INMEMORY["BACKEND"]}}, "E004", "ROUTING"),
        ({"default": {**INMEMORY, "BACKEND": "nowhere.Layer"}}, "E005", "'nowhere.Layer'"),
        ({"default": {**INMEMORY, "BACKEND": 5}}, "E005", "dotted path"),
        ({"default": {**REDIS, "CONFIG": {"hosts": 5}}}, "E001", "'default'"),
        ({"default": {**INMEMORY, "ROUTING": "nowhere.routes"}}, "E002", "'nowhere.routes'"),
        ({"default": {**INMEMORY, "ROUTING": ["x"]}}, "E002", "'x'"),
        ({"other": INMEMORY}, "W011", "'default'"),
    ],
)
def test_mistake_in_layers_is_named(settings: Any, layers: Any, number: str, named: str) -> None:
    """One message, which says what and where."""
    settings.CHANNEL_LAYERS = layers
    assert named in only(number).msg


@pytest.mark.parametrize(
    ("entry", "number", "suggestion"),
    [
        ({**REDIS, "CONFIG": {"expirey": 5}}, "E006", "expiry"),
        ({**REDIS, "TEST_CONFIG": {"host": []}}, "E006", "hosts"),
        ({**REDIS, "ROUTES": []}, "E007", "ROUTING"),
        ({**REDIS, "config": {}}, "E007", "CONFIG"),
        ({**REDIS, "BACKEND": "channels.layers.redis.RedisChanelLayer"}, "E005", REDIS["BACKEND"]),
    ],
)
def test_misspelling_in_layers_gets_a_suggestion(
    settings: Any, entry: dict[str, Any], number: str, suggestion: str
) -> None:
    """The name that was perhaps meant."""
    settings.CHANNEL_LAYERS = {"default": entry}
    assert only(number).hint == f"Did you mean {suggestion!r}?"


def test_arguments_that_a_layer_passes_on_are_known(settings: Any) -> None:
    """Those of its base classes count where it takes keywords of any name."""
    settings.CHANNEL_LAYERS = {"default": {**INMEMORY, "CONFIG": {"expiry": 5, "capacity": 7}}}
    assert ids() == []
    settings.CHANNEL_LAYERS = {"default": {**INMEMORY, "CONFIG": {"capacities": {}}}}
    assert only("E006").hint == "Did you mean 'capacity'?"


def test_old_backend_is_told_its_new_path(settings: Any) -> None:
    """It works."""
    settings.CHANNEL_LAYERS = {"default": {**INMEMORY, "BACKEND": "asgiref.inmemory.ChannelLayer"}}
    assert OLD_BACKENDS["asgiref.inmemory.ChannelLayer"] in (only("W001").hint or "")


def test_tests_on_the_layer_of_the_site_are_warned_of(settings: Any) -> None:
    """They would take each other's messages."""
    config = {"hosts": ["redis://127.0.0.1/0"]}
    settings.CHANNEL_LAYERS = {"default": {**REDIS, "CONFIG": config, "TEST_CONFIG": dict(config)}}
    only("W010")


@pytest.mark.parametrize(("debug", "found"), [(True, []), (False, ["W004"])])
def test_layer_of_one_process_is_for_development(settings: Any, debug: bool, found: list[str]) -> None:
    """The check for deployment says so."""
    settings.DEBUG = debug
    assert [message.id for message in run(deploy=True)] == [f"channels.{number}" for number in found]


# Delayed messages


def delays(databases: list[str]) -> list[checks.CheckMessage]:
    """Run the checks that need a database as ``manage.py check --database`` runs them."""
    found = checks.run_checks(tags=[TAG], databases=databases)
    return [message for message in found if message.id == "channels.W012"]


@pytest.mark.django_db
def test_delayed_messages_that_nobody_sends_are_told() -> None:
    """By their number; only where the database may be asked."""
    for delay in (-61_000, -61_000, -59_000, 61_000):
        DelayedMessage.objects.create(channel_name="a", content="{}", delay=delay)
    (message,) = delays(["default"])
    assert message.id == "channels.W012"
    assert message.msg.startswith("2 delayed messages")
    assert "rundelay" in (message.hint or "")
    assert delays([]) == delays(["other"]) == []


@pytest.mark.django_db
def test_delayed_messages_that_are_sent_in_time_are_not_told() -> None:
    """Those of a minute are on their way."""
    DelayedMessage.objects.create(channel_name="a", content="{}", delay=-30_000)
    assert delays(["default"]) == []


@pytest.mark.django_db(transaction=True)
def test_delayed_messages_need_not_be_migrated() -> None:
    """The check before the first ``migrate`` finds no table."""
    with connection.schema_editor() as editor:
        editor.delete_model(DelayedMessage)
    try:
        assert delays(["default"]) == []
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(DelayedMessage)


def test_project_without_delayed_messages_is_not_asked(settings: Any) -> None:
    """Its database is left alone."""
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "channels.delay"]
    assert delays(["default"]) == []


@pytest.mark.parametrize(
    ("pattern", "after", "patience", "is_told"),
    [
        ("websocket.*", 60, 10, True),
        ("websocket.receive", 6, 9, True),
        ("websocket.receive", 5, 10, False),
        ("orders.*", 60, 10, False),
    ],
)
def test_order_that_does_not_wait_for_redelivery_is_told(
    settings: Any, pattern: str, after: float, patience: float, is_told: bool
) -> None:
    """A socket would be closed before the message of a killed worker comes again."""
    config = {"delivery": {pattern: "at-least-once"}, "redelivery_after": after}
    settings.CHANNEL_LAYERS = {"default": {**REDIS, "CONFIG": config}}
    settings.CHANNELS_ORDERING_TIMEOUT = patience
    assert ids() == (["channels.W014"] if is_told else [])


@pytest.mark.parametrize(
    ("setting", "value", "module", "extra"),
    [
        ("CHANNELS_METRICS", "127.0.0.1:9400", "channels.observe.metrics", "metrics"),
        ("CHANNELS_TRACING", True, "channels.observe.traces", "tracing"),
    ],
)
def test_extra_that_is_asked_for_and_missing_is_told(
    settings: Any, monkeypatch: pytest.MonkeyPatch, setting: str, value: object, module: str, extra: str
) -> None:
    """With the command that installs it; where it is there, or nobody asks, nothing is said."""
    monkeypatch.setitem(sys.modules, module, None)
    assert ids() == []
    setattr(settings, setting, value)
    assert f"pip install 'channels-classic[{extra}]'" in only("W015").msg
    monkeypatch.undo()
    assert ids() == []


# Settings


def test_misspelled_setting_gets_a_suggestion(settings: Any) -> None:
    """The setting that was perhaps meant."""
    settings.CHANNELS_AUTOACCEPT = True
    assert only("E008").hint == "Did you mean 'CHANNELS_AUTO_ACCEPT'?"


def test_unknown_setting_is_warned_of(settings: Any) -> None:
    """It may be another package's."""
    settings.CHANNELS_OF_THE_NILE = 7
    assert "CHANNELS_OF_THE_NILE" in only("W008").msg


def test_default_of_each_setting_is_of_its_kind() -> None:
    """And there is none without a kind."""
    for setting in conf.SETTINGS.values():
        assert setting.kind.accepts(setting.default), setting.name
        assert setting.kind is not conf.ANYTHING, setting.name


@pytest.mark.parametrize("name", [name for name in conf.SETTINGS if name != "CHANNEL_LAYERS"])
def test_setting_of_a_wrong_type_is_named(settings: Any, name: str) -> None:
    """No setting takes a thing that is nothing in particular."""
    setattr(settings, name, object())
    message = only("E009")
    assert message.msg.startswith(f"{name} must be {conf.SETTINGS[name].kind.text}, not <object")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHANNELS_HTTP_TIMEOUT", 0),
        ("CHANNELS_HTTP_TIMEOUT", "120"),
        ("CHANNELS_HTTP_TIMEOUT", True),
        ("CHANNELS_WEBSOCKET_TIMEOUT", -2),
        ("CHANNELS_MAX_BODY_BYTES", 1.5),
        ("CHANNELS_WS_PROTOCOLS", "chat"),
        ("CHANNELS_BATCH_LIMIT", 0),
        ("CHANNELS_AUTO_ACCEPT", 1),
    ],
)
def test_setting_that_is_nearly_right_is_named(settings: Any, name: str, value: Any) -> None:
    """Text for numbers, booleans for numbers, values beyond the end."""
    setattr(settings, name, value)
    assert repr(value) in only("E009").msg


@pytest.mark.parametrize(("name", "number"), [("CHANNELS_AUTO_ACCEPT", "W002"), ("CHANNELS_REJECT_UNROUTED", "W005")])
def test_choice_not_made_is_asked_for(settings: Any, name: str, number: str) -> None:
    """Either value is a choice."""
    delattr(settings, name)
    only(number)
    setattr(settings, name, False)
    assert ids() == []


@pytest.mark.parametrize(
    ("engine", "of_channels", "found"),
    [
        ("signed_cookies", None, ["channels.W003"]),
        ("signed_cookies", "db", []),
        ("db", "signed_cookies", ["channels.E011"]),
        ("db", None, []),
    ],
)
def test_sessions_in_cookies_are_named(settings: Any, engine: str, of_channels: str | None, found: list[str]) -> None:
    """One of the site is a warning, "W003"; one of channels alone an error, "E011"."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    if of_channels:
        settings.CHANNEL_SESSION_ENGINE = f"django.contrib.sessions.backends.{of_channels}"
    assert ids() == found


# Consumers


def test_consumers_that_check_no_origin_are_named(settings: Any) -> None:
    """Decorators inside others, and on methods of classes, are seen."""
    settings.DEBUG = True
    settings.CHANNEL_LAYERS = {"default": {**INMEMORY, "ROUTING": "tests.checks.routings.guards"}}
    found = run(deploy=True)
    assert {message.id for message in found} == {"channels.W006"}
    assert [message.msg.split()[2] for message in found] == [
        "tests.checks.routings.accepts",
        "tests.checks.routings.Accepting",
    ]
    assert ids() == []


def test_consumers_that_decide_nothing_are_named(settings: Any) -> None:
    """Where sockets are not accepted by default; helpers are followed."""
    settings.CHANNEL_LAYERS = {"default": {**INMEMORY, "ROUTING": "tests.checks.routings.undecided"}}
    assert ids() == []
    settings.CHANNELS_AUTO_ACCEPT = False
    found = run()
    assert {message.id for message in found} == {"channels.W007"}
    assert [message.msg.split()[2] for message in found] == [
        "tests.checks.routings.says_nothing",
        "tests.checks.routings.Silent",
        "tests.checks.routings.SilentlyOpened",
    ]


# The page in the admin


@pytest.mark.parametrize(
    ("routing", "found"),
    [
        ("tests.monitor.site.routing.live_routing", []),
        ("tests.monitor.site.routing.channel_routing", ["W013"]),
        ("tests.checks.routings.shadowed_page", ["W013"]),
    ],
)
def test_page_of_the_admin_without_its_route_is_named(settings: Any, routing: str, found: list[str]) -> None:
    """Also where another route takes its socket before."""
    settings.ROOT_URLCONF = "tests.monitor.site.urls"
    settings.CHANNEL_LAYERS = {"default": {**INMEMORY, "ROUTING": routing}}
    assert ids() == [f"channels.{number}" for number in found]


# What stands beside the package


def test_other_distribution_of_this_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes its files over ours."""
    metadata = tmp_path / "channels-4.3.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: channels\nVersion: 4.3.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    message = only("E010")
    assert "channels 4.3.0" in message.msg
    assert "pip uninstall" in (message.hint or "")


@pytest.mark.parametrize("owner", ["tests.checks.foreign", "tests.worker.own_runserver"])
def test_runserver_of_another_app_is_named_unless_it_is_built_on_ours(
    monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    """One that is not runs no workers: "W009"."""
    monkeypatch.setitem(get_commands(), "runserver", owner)
    assert ids() == (["channels.W009"] if owner == "tests.checks.foreign" else [])
