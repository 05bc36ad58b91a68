"""Every mistake that the checks can find: its id, what it means and what to do. Ids are never renumbered.

The checks page of the documentation is made of this table.
"""

from dataclasses import dataclass
from typing import Any

from django.core import checks

TAG = "channels"

DEPLOY = "deploy"
DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One kind of mistake. Calling it makes the message of a check.

    Attributes:
        id: Such as ``channels.E001``; the letter says whether it is an error or a warning.
        meaning: One sentence for the documentation.
        hint: What to do about it.
        when: Which option of ``check`` looks for it; empty for always.
    """

    id: str
    meaning: str
    hint: str
    when: str = ""

    def __call__(self, text: str, hint: str = "", obj: Any = None) -> checks.CheckMessage:
        """Return the message ``text``; ``hint`` takes the place of the general one."""
        level = checks.ERROR if self.id.split(".")[1].startswith("E") else checks.WARNING
        return checks.CheckMessage(level, text, hint=hint or self.hint, obj=obj, id=self.id)


LAYER_FAILS = Mistake(
    "channels.E001",
    "A layer of ``CHANNEL_LAYERS`` cannot be made; the message says what its class objects to.",
    "Correct its entry in CHANNEL_LAYERS.",
)
ROUTING_FAILS = Mistake(
    "channels.E002",
    "The routing of a layer, or a consumer in it, cannot be imported or is not one.",
    "Correct ROUTING in its entry, or the module it names.",
)
NOT_A_DICT = Mistake(
    "channels.E003",
    "``CHANNEL_LAYERS``, one of its entries, or ``CONFIG`` or ``TEST_CONFIG`` in one is not a dict.",
    "Write it as a dict.",
)
KEY_MISSING = Mistake(
    "channels.E004",
    "An entry of ``CHANNEL_LAYERS`` has no ``BACKEND`` or no ``ROUTING``.",
    "Add it; a process that only sends can do with an empty list as ROUTING.",
)
BACKEND_FAILS = Mistake(
    "channels.E005",
    "The ``BACKEND`` of a layer is not the dotted path of a class that can be imported.",
    "Correct the path, or install what it needs.",
)
UNKNOWN_CONFIG = Mistake(
    "channels.E006",
    "``CONFIG`` or ``TEST_CONFIG`` of a layer has a key that its class does not take.",
    "Correct or remove it.",
)
UNKNOWN_ENTRY_KEY = Mistake(
    "channels.E007",
    "An entry of ``CHANNEL_LAYERS`` has a key other than ``BACKEND``, ``ROUTING``, ``CONFIG`` and ``TEST_CONFIG``.",
    "Correct or remove it; arguments of the layer belong into CONFIG.",
)
MISSPELLED_SETTING = Mistake(
    "channels.E008",
    "A setting is named almost like one of this package.",
    "Correct its name.",
)
WRONG_VALUE = Mistake(
    "channels.E009",
    "A setting has a value of a wrong type or size.",
    "See the settings page of the documentation.",
)
OTHER_CHANNELS = Mistake(
    "channels.E010",
    "The distribution ``channels`` is installed beside ``channels-classic``: both hold a package of this name, and "
    "files of one overwrite those of the other.",
    "Run: pip uninstall -y channels channels-classic && pip install channels-classic",
)
COOKIE_ENGINE = Mistake(
    "channels.E011",
    "``CHANNEL_SESSION_ENGINE`` keeps sessions in signed cookies, which a socket cannot set.",
    "Use the db, cache, cached_db or file engine.",
)
OLD_BACKEND = Mistake(
    "channels.W001",
    "A layer is named by a path of Channels 1.x. It works.",
    "Use the new path.",
)
AUTO_ACCEPT_UNDECIDED = Mistake(
    "channels.W002",
    "``CHANNELS_AUTO_ACCEPT`` is not set: WebSockets whose connect consumer decides nothing are accepted.",
    "Set it to True to keep that, or to False if every connect consumer accepts or closes by itself.",
)
COOKIE_SESSIONS = Mistake(
    "channels.W003",
    "``SESSION_ENGINE`` keeps sessions in signed cookies: consumers cannot use sessions or the users in them.",
    "Use another engine, or set CHANNEL_SESSION_ENGINE and use channel sessions only.",
)
LOCAL_LAYER = Mistake(
    "channels.W004",
    "The layer reaches one process only, with ``DEBUG`` off: workers and other servers do not get its messages.",
    "Use a layer that crosses processes, such as channels.layers.redis.RedisChannelLayer.",
    DEPLOY,
)
REJECT_UNDECIDED = Mistake(
    "channels.W005",
    "``CHANNELS_REJECT_UNROUTED`` is not set: WebSockets on paths that no route takes are accepted and ignored.",
    "Set it to True to refuse them, or to False to keep that.",
)
ORIGIN_UNCHECKED = Mistake(
    "channels.W006",
    "A consumer of ``websocket.connect`` does not look at the origin: pages of any site may open the socket with the "
    "cookies of your users.",
    "Decorate it with channels.security.websockets.allowed_hosts_only, or silence this check if that is wanted.",
    DEPLOY,
)
UNDECIDED_CONSUMER = Mistake(
    "channels.W007",
    "A consumer of ``websocket.connect`` does not seem to accept or close its socket, and ``CHANNELS_AUTO_ACCEPT`` is "
    "not True.",
    'Send {"accept": True} or {"close": True} to message.reply_channel, or set CHANNELS_AUTO_ACCEPT to True.',
)
UNKNOWN_SETTING = Mistake(
    "channels.W008",
    "A setting begins with ``CHANNELS_`` and is none of this package.",
    "Remove it; if it is another package's, silence this check.",
)
OTHER_RUNSERVER = Mistake(
    "channels.W009",
    "The command ``runserver`` is that of another app, which does not run workers.",
    "Put 'channels' before that app in INSTALLED_APPS, or remove the app.",
)
SAME_TEST_CONFIG = Mistake(
    "channels.W010",
    "``TEST_CONFIG`` of a layer is its ``CONFIG``: live tests would empty and read the channels of the site.",
    "Give tests a prefix or a server of their own.",
)
NO_DEFAULT_LAYER = Mistake(
    "channels.W011",
    "``CHANNEL_LAYERS`` has layers, but none named ``default``: sends and commands that name no layer fail.",
    "Name one of them 'default'.",
)

DELAYS_OVERDUE = Mistake(
    "channels.W012",
    "Delayed messages have been due for more than a minute: no ``rundelay`` seems to be running.",
    "Run python manage.py rundelay beside the workers.",
    DATABASE,
)

MONITOR_UNROUTED = Mistake(
    "channels.W013",
    "``channels.monitor`` is installed, and no routing leads to the consumer of its page: it stays empty.",
    'Put include("channels.monitor.routing.channel_routing") before the routes of the project.',
)

HASTY_ORDERING = Mistake(
    "channels.W014",
    "Channels of sockets are delivered at least once, and ``CHANNELS_ORDERING_TIMEOUT`` is over before the layer "
    "delivers again what a killed worker had: a socket whose order is enforced is closed instead.",
    "Let CHANNELS_ORDERING_TIMEOUT be more than one and a half times redelivery_after of the layer, or silence this "
    "check if no consumer enforces order.",
)

EXTRA_MISSING = Mistake(
    "channels.W015",
    "``CHANNELS_METRICS`` or ``CHANNELS_TRACING`` is set and the package that it needs is not installed: processes run "
    "without it and show nothing.",
    "Install the extra that the message names, or remove the setting.",
)

CATALOGUE = {mistake.id: mistake for mistake in list(globals().values()) if isinstance(mistake, Mistake)}
"""Every mistake by its id."""
