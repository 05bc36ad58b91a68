"""Names that are gone, moved or never belonged to 1.x: one table, and the rule that looks names up in it."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from channels.legacy.findings import Finding, Weight
from channels.legacy.modules import Module


@dataclass(frozen=True, slots=True)
class Gone:
    """What became of a name.

    Attributes:
        code: The kind of finding.
        weight: How much it matters.
        fix: What to do.
        since: Whose change it was, to end the sentence "... is not there".
    """

    code: str
    weight: Weight
    fix: str
    since: str


def _django(version: str, fix: str) -> Gone:
    return Gone("django-removed", Weight.BREAKS, fix, f"removed in Django {version}")


def _inside(fix: str) -> Gone:
    return Gone("old-import", Weight.BREAKS, fix, "not part of this distribution")


def _later(fix: str) -> Gone:
    return Gone("channels-2", Weight.BREAKS, fix, "of Channels 2 and later, another library")


_REVERSE = "Import it from django.urls."
_TEXT = "Use {} of django.utils.encoding."
_LAZY = "Use {} of django.utils.translation."
_TYPES = "Python 3 has one text type; write str, bytes and int, and drop the compatibility layer."
_LAYERS = "Layers are chosen in CHANNEL_LAYERS; to name a class in code use channels.layers."
_SYNC = "This library has the consumers of 1.x, in channels.generic.websockets, and its routing."

NAMES: Mapping[str, Gone] = {
    "django.core.urlresolvers": _django("2.0", _REVERSE),
    "django.conf.urls.url": _django("4.0", "Use re_path of django.urls, which takes the same arguments."),
    "django.conf.urls.patterns": _django("1.10", "Make urlpatterns a list of path() and re_path()."),
    "django.utils.six": _django("3.0", _TYPES),
    "django.utils.encoding.python_2_unicode_compatible": _django("3.0", "Remove the decorator."),
    "django.utils.encoding.force_text": _django("4.0", _TEXT.format("force_str")),
    "django.utils.encoding.smart_text": _django("4.0", _TEXT.format("smart_str")),
    "django.utils.encoding.force_unicode": _django("1.8", _TEXT.format("force_str")),
    "django.utils.translation.ugettext": _django("4.0", _LAZY.format("gettext")),
    "django.utils.translation.ugettext_lazy": _django("4.0", _LAZY.format("gettext_lazy")),
    "django.utils.translation.ugettext_noop": _django("4.0", _LAZY.format("gettext_noop")),
    "django.utils.translation.ungettext": _django("4.0", _LAZY.format("ngettext")),
    "django.utils.http.is_safe_url": _django("4.0", "Use url_has_allowed_host_and_scheme of django.utils.http."),
    "django.utils.http.urlquote": _django("4.0", "Use quote of urllib.parse."),
    "django.utils.timezone.utc": _django("5.0", "Use datetime.timezone.utc."),
    "django.shortcuts.render_to_response": _django("3.0", "Use render(request, ...)."),
    "django.contrib.auth.views.login": _django("2.1", "Route LoginView.as_view()."),
    "django.contrib.auth.views.logout": _django("2.1", "Route LogoutView.as_view(); it takes POST only."),
    "django.contrib.postgres.fields.JSONField": _django("4.0", "Use django.db.models.JSONField."),
    "django.db.models.NullBooleanField": _django("4.0", "Use BooleanField(null=True)."),
    "django.contrib.staticfiles.templatetags.staticfiles": _django("3.0", "Import static from django.templatetags."),
    "channels.tests": Gone("old-import", Weight.TIDY, "Import from channels.test.", "an old name that warns"),
    "channels.hacks": _inside("Remove it: nothing needs to be patched any more."),
    "channels.package_checks": _inside("Remove it: system checks do its work."),
    "channels.backends": _inside(_LAYERS),
    "channels.decorators": _inside("Import from channels.sessions and channels.auth."),
    "asgiref.inmemory": _inside(_LAYERS),
    "asgiref.base_layer": _inside("Derive from channels.layers.base.BaseChannelLayer."),
    "asgiref.conformance": _inside("Derive from the suite in channels.test.conformance."),
    "asgiref.worker": _inside("Derive from channels.worker.Worker; its consumers are those of a routing."),
    "asgiref.wsgi.WsgiToAsgiAdapter": _inside("Remove it: it was never complete. Route http.request to ViewConsumer."),
    "asgi_redis": _inside(_LAYERS),
    "asgi_ipc": _inside(_LAYERS),
    "daphne": _inside("Any ASGI server serves project.asgi; options are settings. See the page on servers."),
    "channels.db": _later("Consumers are synchronous: call the ORM as in a view."),
    "channels.consumer": _later(_SYNC),
    "channels.generic.websocket": _later(_SYNC),
    "channels.layers.get_channel_layer": _later("Send with channels.Channel and channels.Group."),
    "channels.middleware": _later(_SYNC),
    "channels.testing": _later("Use channels.test."),
    "channels.auth.AuthMiddlewareStack": _later(_SYNC),
    "channels.sessions.SessionMiddlewareStack": _later(_SYNC),
    "channels.routing.ProtocolTypeRouter": _later(_SYNC),
    "channels.routing.URLRouter": _later(_SYNC),
    "channels.routing.ChannelNameRouter": _later(_SYNC),
    "unicode": Gone("python-2", Weight.BREAKS, _TYPES, "a name of Python 2"),
    "basestring": Gone("python-2", Weight.BREAKS, _TYPES, "a name of Python 2"),
    "xrange": Gone("python-2", Weight.BREAKS, "Use range.", "a name of Python 2"),
    "raw_input": Gone("python-2", Weight.BREAKS, "Use input.", "a name of Python 2"),
    "urllib2": Gone("python-2", Weight.BREAKS, "Use urllib.request.", "a module of Python 2"),
    "urlparse": Gone("python-2", Weight.BREAKS, "Use urllib.parse.", "a module of Python 2"),
}
"""Dotted name to what became of it; a name under a listed one shares its fate."""


def look_up(dotted: str) -> tuple[str, Gone] | None:
    """Return the listed name that ``dotted`` is or lies under, and what became of it."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in NAMES:
            return name, NAMES[name]
    return None


def check_names(module: Module) -> Iterator[Finding]:
    """Yield a finding for each import, and each use through an imported module, of a name that is gone."""
    said: set[tuple[int, str]] = set()
    for dotted, line in _names_of(module):
        found = look_up(dotted)
        if found is None or (line, found[0]) in said:
            continue
        name, gone = found
        said.add((line, name))
        yield Finding(module.path, line, gone.code, gone.weight, f"{name} is {gone.since}.", gone.fix)


def _names_of(module: Module) -> Iterator[tuple[str, int]]:
    imported = set(module.imports.values())
    defined = _defined_in(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Attribute):
            # Through a module that was imported whole; what was imported by name has been said at its import.
            dotted = module.dotted(node)
            if dotted and not _is_reported(dotted, imported) and not dotted.startswith(f"{module.name}."):
                yield dotted, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in defined:
            # Builtins of Python 2; any dotted name goes through the branches above.
            yield node.id, node.lineno


def _is_reported(dotted: str, imported: set[str]) -> bool:
    found = look_up(dotted)
    return found is not None and any(name == found[0] or name.startswith(f"{found[0]}.") for name in imported)


def _defined_in(module: Module) -> set[str]:
    found = set(module.imports)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
    return found
