"""The migration report: each kind of finding, what must not be found, and the two ways to run it."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from channels.legacy import report
from channels.legacy.scan import scan


@pytest.fixture
def codes_of(tmp_path):
    """Write files and return ``(line, code)`` of each finding."""

    def write(files: dict[str, str]) -> list[tuple[int, str]]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return [(finding.line, finding.code) for finding in scan([tmp_path])]

    return write


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("django-removed", "from django.core.urlresolvers import reverse"),
        ("django-removed", "from django.conf.urls import url"),
        ("django-removed", "import django.utils.six"),
        ("django-removed", "from django.utils.translation import ugettext_lazy as _"),
        ("django-removed", "if request.user.is_authenticated(): pass"),
        ("django-removed", "if request.is_ajax(): pass"),
        ("django-removed", "from django.db import models; room = models.ForeignKey('Room')"),
        ("django-removed", "from django.db.models import OneToOneField; room = OneToOneField('Room', null=True)"),
        ("django-removed", "from django.conf import urls; urls.url('x', view)"),
        ("old-import", "from channels.tests import ChannelTestCase"),
        ("old-import", "import asgi_redis"),
        ("old-import", "from asgiref.inmemory import ChannelLayer"),
        ("old-import", "from daphne.server import Server"),
        ("channels-2", "from channels.layers import get_channel_layer"),
        ("channels-2", "from channels.generic.websocket import WebsocketConsumer"),
        ("channels-2", "from channels.routing import ProtocolTypeRouter"),
        ("python-2", "print unicode(x)"),
        ("python-2", "name = unicode(5)"),
        ("python-2", "import urllib2"),
        ("slight", "decorate = enforce_ordering(slight=True)"),
        ("slight", "slight_ordering = True"),
        ("old-backend", "BACKEND = 'asgi_redis.RedisChannelLayer'"),
        ("daphne-response", "if name.startswith('daphne.response'): pass"),
        ("session-engine", "SESSION_ENGINE = 'django.contrib.sessions.backends.signed_cookies'"),
    ],
)
def test_line_of_python_is_found(codes_of, code, line):
    """Each with its line."""
    assert codes_of({"app/module.py": f"# first line\n{line}\n"}) == [(2, code)]


@pytest.mark.parametrize(
    "line",
    [
        "from django.urls import reverse",
        "from django.conf.urls import include",
        "if request.user.is_authenticated: pass",
        "from django.db import models; room = models.ForeignKey('Room', models.CASCADE)",
        "from django.db import models; room = models.ForeignKey('Room', on_delete=models.CASCADE)",
        "from django.db import models; room = models.ForeignKey('Room', **options)",
        "from serializers import ForeignKey; room = ForeignKey('Room')",
        "from channels.test import ChannelTestCase",
        "from channels.generic.websockets import WebsocketConsumer",
        "from channels.sessions import channel_session",
        "def unicode(value): return unicode",
        "unicode = str; unicode(1)",
        "from asgiref.sync import async_to_sync",
        "BACKEND = 'channels.layers.redis.RedisChannelLayer'",
        "text = 'asgi_redis.RedisChannelLayer is old'",
    ],
)
def test_line_of_today_is_not_found(codes_of, line):
    """Nothing to do, nothing to say."""
    assert codes_of({"app/module.py": f"{line}\n"}) == []


def test_same_name_is_reported_once_a_line(codes_of):
    """At its import, not again at each use."""
    text = """
        from django.core import urlresolvers
        a = urlresolvers.reverse("a")
        b = urlresolvers.reverse("b")
    """
    assert codes_of({"views.py": text}) == [(2, "django-removed")]


ROUTING = """
    from channels import route
    from chat import consumers
    channel_routing = [route("websocket.connect", consumers.connect)]
"""

UNDECIDED = {
    "nothing": "def connect(message): pass",
    "only a group": "def connect(message): Group('a').add(message.reply_channel); Group('a').send({'text': 'hi'})",
    "a returned dict": "def connect(message): return {'accept': True}",
    "a helper that does not": "def connect(message): note(message)\ndef note(message): print(message)",
    "a decorator of ours": (
        "from channels.sessions import channel_session\n@channel_session\ndef connect(message): message.channel_session"
    ),
}
DECIDED = {
    "accept": "def connect(message): message.reply_channel.send({'accept': True})",
    "close": "def connect(message): message.reply_channel.send({'close': True})",
    "data": "def connect(message): message.reply_channel.send({'text': 'hi'})",
    "an exception": "def connect(message): raise DenyConnection()",
    "a helper that does": (
        "def connect(message): welcome(message)\ndef welcome(message): message.reply_channel.send({'accept': True})"
    ),
    "somebody else's helper": "from library import welcome\ndef connect(message): welcome(message)",
    "somebody else's decorator": "from library import welcomed\n@welcomed\ndef connect(message): pass",
    "a variable": "def connect(message): message.reply_channel.send(answer)",
}


@pytest.mark.parametrize("how", UNDECIDED)
def test_connect_consumer_that_decides_nothing_is_found(codes_of, how):
    """Through the routing that names it."""
    found = codes_of({"routing.py": ROUTING, "chat/consumers.py": UNDECIDED[how]})
    assert "undecided-connect" in [code for _, code in found]


@pytest.mark.parametrize("how", DECIDED)
def test_connect_consumer_that_may_decide_is_not_found(codes_of, how):
    """In doubt the report is silent."""
    assert codes_of({"routing.py": ROUTING, "chat/consumers.py": DECIDED[how]}) == []


def test_returned_message_is_found(codes_of):
    """It was never sent."""
    found = codes_of({"routing.py": ROUTING, "chat/consumers.py": "def connect(message):\n    return {'accept': True}"})
    assert (2, "returned-message") in found


@pytest.mark.parametrize(
    "routing",
    [
        "channel_routing = {'websocket.connect': 'chat.consumers.connect'}",
        "from channels import route\nfrom .chat.consumers import connect as c\nx = [route('websocket.connect', c)]",
        "channel_routing = {'websocket.connect': 'site.chat.consumers.connect'}",
    ],
)
def test_consumer_is_found_in_every_form_of_routing(codes_of, routing):
    """Dicts, dotted texts, other names, and packages that lie elsewhere than their import path says."""
    files = {"routing.py": routing, "chat/consumers.py": "def connect(message): pass"}
    assert codes_of(files) == [(1, "undecided-connect")]


def test_connect_methods_of_classes_are_judged(codes_of):
    """Also through a base class of the project; streams of a demultiplexer have nothing to decide."""
    text = """
        from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer, WebsocketDemultiplexer

        class Base(WebsocketConsumer):
            pass

        class Silent(Base):
            def connect(self, message, **kwargs):
                self.seen = True

        class Polite(Base):
            def connect(self, message, **kwargs):
                super(Polite, self).connect(message, **kwargs)

        class Strict(Base):
            def connect(self, message, **kwargs):
                self.close()

        class Stream(JsonWebsocketConsumer):
            def connect(self, message, multiplexer, **kwargs):
                multiplexer.send({})

        class Streams(WebsocketDemultiplexer):
            consumers = {"one": Stream}
    """
    assert codes_of({"consumers.py": text}) == [(8, "undecided-connect")]


def test_project_that_has_decided_is_left_alone(codes_of):
    """The setting settles it, for better or worse."""
    files = {
        "routing.py": ROUTING,
        "chat/consumers.py": "def connect(m): pass",
        "conf.py": "CHANNELS_AUTO_ACCEPT = True",
    }
    assert codes_of(files) == []


def test_settings_that_are_gone_or_whose_default_changed_are_found(codes_of):
    """Where the project does not say what it wants."""
    assert codes_of({"settings.py": "INSTALLED_APPS = []\nMIDDLEWARE_CLASSES = ()\n"}) == [
        (1, "django-default"),
        (1, "django-default"),
        (2, "django-setting"),
    ]


def test_settings_over_several_modules_are_read_together(codes_of):
    """What one of them says holds for all."""
    base = "INSTALLED_APPS = []\nUSE_TZ = True\n"
    assert codes_of({"conf/base.py": base, "conf/live.py": "DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'"}) == []


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("channels==1.1.8", True),
        ("channels", True),
        ("channels-classic==1.2.0", False),
        ("asgi_redis>=1.4", True),
        ("asgi-ipc", True),
        ("asgiref~=1.1", True),
        ("asgiref>=3.8", False),
        ("daphne<2", True),
        ("daphne", False),
        ("Django==1.11.29", True),
        ("Django>=1.8,<2.0", True),
        ("django>=5.2", False),
        ("Django<5.2", True),
        ("django-redis==5.0", False),
        ("redis==2.10.6", True),
        ("redis>=5,<9", False),
        ("msgpack-python", True),
        ("channels[tests]==1.1.8  # as it was", True),
    ],
)
def test_requirement_is_judged_by_name_and_bound(codes_of, line, is_found):
    """What clashes or is too old, and nothing else."""
    assert codes_of({"requirements.txt": f"pytz\n{line}\n"}) == [(2, "requirement")] * is_found


def test_requirements_in_a_directory_and_in_setup_are_read(codes_of):
    """Wherever projects keep them."""
    files = {
        "requirements/live.txt": "channels<2\n",
        "setup.py": 'setup(\n    install_requires=[\n        "daphne==1.4.2",\n    ],\n)\n',
    }
    assert codes_of(files) == [(1, "requirement"), (3, "requirement")]


@pytest.mark.parametrize(
    ("tag", "is_found"),
    [
        ("{% load staticfiles %}", True),
        ("{% load i18n staticfiles %}", True),
        ("{% ifequal a b %}", True),
        ("{% load static %}", False),
        ("{% if a == b %}", False),
    ],
)
def test_template_tag_is_found(codes_of, tag, is_found):
    """In templates of every app."""
    assert codes_of({"app/templates/page.html": f"<p>\n{tag}\n"}) == [(2, "django-removed")] * is_found


@pytest.mark.parametrize(
    ("name", "line", "is_found"),
    [
        ("Procfile", "web: daphne site.asgi:channel_layer --port $PORT --bind 0.0.0.0", True),
        ("run.sh", "exec /srv/venv/bin/daphne -b 0.0.0.0 site.asgi:channel_layer", True),
        ("docker-compose.yml", '  command: ["daphne", "-p", "80", "site.asgi:channel_layer"]', True),
        ("Procfile", "worker: python manage.py runworker", False),
        ("run.sh", "# daphne site.asgi:channel_layer", False),
        ("run.sh", "pip install daphne", False),
    ],
)
def test_line_that_starts_daphne_is_found(codes_of, name, line, is_found):
    """As processes were started."""
    assert codes_of({name: f"{line}\n"}) == [(1, "daphne-command")] * is_found


def test_options_of_daphne_are_translated(tmp_path):
    """Each to a setting of ours or an option of the server."""
    (tmp_path / "Procfile").write_text(
        "web: daphne --http-timeout 90 --ws-protocol=graphql-ws site.asgi:channel_layer\n"
    )
    (finding,) = scan([tmp_path])
    assert "CHANNELS_HTTP_TIMEOUT" in finding.fix
    assert "CHANNELS_WS_PROTOCOLS" in finding.fix


def test_what_is_not_the_projects_is_not_read(codes_of):
    """Virtual environments, packages, hidden directories."""
    bad = "import asgi_redis\n"
    files = {f"{place}/module.py": bad for place in (".tox", "env/lib", "node_modules/x", "a/site-packages/x")}
    assert codes_of({**files, "env/pyvenv.cfg": ""}) == []


def test_file_that_is_too_much_for_python_is_named(codes_of):
    """The others are read all the same."""
    files = {"deep.py": f"x = {'-' * 10_000}1", "nul.py": "x = 1\0", "today.py": "import urllib2"}
    assert {code for _, code in codes_of(files)} >= {"unreadable", "python-2"}


def test_file_that_is_not_text_is_named(tmp_path):
    """The rest of the report is not lost."""
    (tmp_path / "old.py").write_bytes(b"name = '\xff'\n")
    (tmp_path / "other.py").write_text("import asgi_redis\n")
    assert [finding.code for finding in scan([tmp_path])] == ["unreadable", "old-import"]


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command of Python in a directory."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_command_needs_no_settings(tmp_path):
    """A project of 1.x does not start yet; the exit code says that something breaks."""
    (tmp_path / "views.py").write_text("from django.core.urlresolvers import reverse\n")
    done = run("-m", "channels.legacy", cwd=tmp_path)
    assert done.returncode == 1
    assert "views.py:1: django-removed (breaks)" in done.stdout
    assert done.stderr == ""


def test_command_prints_json(tmp_path):
    """For tools."""
    (tmp_path / "consumers.py").write_text("slight_ordering = True\n")
    done = run("-m", "channels.legacy", "--json", ".", cwd=tmp_path)
    assert done.returncode == 0
    assert [(finding["line"], finding["code"], finding["weight"]) for finding in json.loads(done.stdout)] == [
        (1, "slight", "tidy")
    ]


def test_command_names_a_path_that_is_not_there(tmp_path):
    """As any command does."""
    done = run("-m", "channels.legacy", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_management_command_gives_the_same_report(tmp_path, capsys):
    """For projects that start already."""
    from django.core.management import call_command

    (tmp_path / "views.py").write_text("import asgi_redis\n")
    with pytest.raises(SystemExit) as end:
        call_command("legacyreport", str(tmp_path))
    assert end.value.code == 1
    assert "old-import" in capsys.readouterr().out


def test_every_kind_of_finding_is_documented():
    """And no other is."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "migration-report.rst").read_text(encoding="utf-8")
    heads = re.findall(r"^(``.*``) \((?:breaks|differs|tidy)", page, re.MULTILINE)
    documented = {code for head in heads for code in re.findall(r"``([^`]+)``", head)}
    source = "".join(path.read_text(encoding="utf-8") for path in Path(report.__file__).parent.glob("*.py"))
    used = set(re.findall(r'"([a-z0-9-]+)",\s+(?:gone\.weight|Weight)', source))
    assert used
    assert documented == used
