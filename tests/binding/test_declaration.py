"""Declaring bindings: what must be said, when they begin to send, and where they are found."""

import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.binding import Binding
from channels.binding.base import BindingMetaclass
from channels.binding.websockets import WebsocketBinding, WebsocketBindingWithMembers
from tests.binding.desk.models import Card, Ticket
from tests.support.processes import ROOT


def test_binding_without_a_model_is_refused():
    """Where none of its bases has one either."""
    with pytest.raises(ValueError, match=r"You must set the model attribute on Binding .*!"):
        type(Binding)("Bound", (WebsocketBinding,), {"fields": ["title"]})
    BindingMetaclass.binding_classes.clear()


def test_binding_without_fields_is_refused():
    """All fields are sent only if the project says so."""
    with pytest.raises(ValueError, match=r"You must set the fields or exclude attribute on Binding .*!"):
        type(Binding)("Bound", (WebsocketBinding,), {"model": Card})
    BindingMetaclass.binding_classes.clear()


def test_slight_ordering_is_refused():
    """It was never possible on bindings."""
    with pytest.raises(ValueError, match="Slight ordering"):
        type(Binding)("Bound", (WebsocketBinding,), {"model": Card, "fields": [], "slight_ordering": True})
    BindingMetaclass.binding_classes.clear()


@pytest.mark.parametrize("name", ["has_permission", "delete", "group_names"])
def test_method_that_nobody_would_await_is_refused(declared, name):
    """A permission that never ran would be everybody's."""

    async def method(self, *args):
        return False

    body = {name: classmethod(method) if name == "group_names" else method}
    with pytest.raises(ImproperlyConfigured, match="is an async function"):
        type(WebsocketBinding)("Wrong", (WebsocketBinding,), {"model": None, **body})
    with pytest.raises(ImproperlyConfigured, match="is an async function"):
        type(WebsocketBinding)("Wrong", (type("Mixin", (), body), WebsocketBinding), {"model": None})
    assert declared == []


def test_binding_whose_own_model_is_none_is_abstract(declared):
    """It is neither checked nor registered."""

    class Abstract(WebsocketBinding):
        model = None

    assert Abstract not in declared


def test_model_may_be_inherited(bind):
    """A binding may refine another one."""
    base = bind(Card)
    refined = type(base)("Refined", (base,), {"stream": "refined"})
    assert (refined.model, refined.model_label) == (Card, "desk.card")


def test_model_may_be_a_name(bind):
    """As in foreign keys."""
    assert bind("desk.Card").model is Card


def test_bindings_are_declared_before_the_apps_are_ready(bind, monkeypatch):
    """They are checked and registered when the apps are."""
    monkeypatch.setattr(BindingMetaclass, "binding_classes_registered", False)
    early = bind("desk.Ticket")
    assert early.model == "desk.Ticket"
    BindingMetaclass.register_all()
    assert (early.model, early.model_label) == (Ticket, "desk.ticket")


def test_metaclass_can_be_refined(declared):
    """Packages for 1.x do."""

    class Noting(BindingMetaclass):
        def __new__(cls, name, bases, body):
            body["noted"] = name
            return super().__new__(cls, name, bases, body)

    class Bound(WebsocketBinding, metaclass=Noting):
        model = Card
        fields = ("title",)

    assert Bound.noted == "Bound"
    assert declared == [Bound]


@pytest.mark.parametrize(
    ("fields", "exclude", "allowed"),
    [
        (["__all__"], None, {"title", "note", "secret"}),
        ("__all__", None, {"title", "note", "secret"}),
        (["title"], None, {"title"}),
        ("title and note", None, set()),
        ("title", None, {"title"}),
        (None, "secret", {"title", "note"}),
        (None, ["secret"], {"title", "note"}),
        (["title", "secret"], ["secret"], {"title"}),
        (["__all__"], ["note"], {"title", "secret"}),
        ([], None, set()),
        (None, [], {"title", "note", "secret"}),
    ],
)
def test_fields_and_exclude_choose_fields(bind, fields, exclude, allowed):
    """Each alone, and both together."""
    bound = bind(Card, fields=fields, exclude=exclude)
    assert {name for name in ("title", "note", "secret") if bound.allows(name)} == allowed


def test_abstract_bases_are_not_bound(declared):
    """The package's own classes have no model."""
    assert [base.model for base in (Binding, WebsocketBinding, WebsocketBindingWithMembers)] == [None] * 3


PROJECT = {
    "site_settings.py": """
SECRET_KEY = "x"
INSTALLED_APPS = ["channels", "django.contrib.contenttypes", "django.contrib.auth", "things"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.inmemory.ChannelLayer", "ROUTING": []}}
""",
    "things/__init__.py": "",
    "things/models.py": """
from django.db import models

class Thing(models.Model):
    name = models.CharField(max_length=9)
""",
    "things/bindings.py": """
from channels.binding.websockets import WebsocketBinding
from .models import Thing

class ThingBinding(WebsocketBinding):
    model = Thing
    stream = "things"
    fields = ["name"]

    @classmethod
    def group_names(cls, instance):
        return ["things"]
""",
}
SAVE = """
from django.core.management import call_command
from channels import Group, channel_layers
from things.models import Thing
call_command("migrate", run_syncdb=True, verbosity=0)
Group("things").add("page")
Thing.objects.create(name="one")
print(channel_layers["default"].receive(["page"])[1]["text"])
"""


@pytest.mark.parametrize(
    "command", [["-m", "django", "shell", "--no-startup", "-c", SAVE], ["-c", f"import django; django.setup(){SAVE}"]]
)
def test_bindings_modules_are_found_in_every_process(tmp_path, command):
    """A management command and a script, such as a task queue's, send what they save: nothing else imports them."""
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, *command],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "DJANGO_SETTINGS_MODULE": "site_settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert '"action": "create"' in done.stdout, done.stderr
