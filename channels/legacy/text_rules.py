"""What needs attention in files that are not Python: requirements, templates, and lines that start processes."""

import re
from collections.abc import Iterator

from channels.legacy.findings import Finding, Weight

_REQUIREMENT = re.compile(
    r"""^[\s"'\[,]*(?P<name>channels|asgi[-_]redis|asgi[-_]ipc|asgiref|daphne|django|msgpack-python|redis)"""
    r"""(?P<extras>\[[^\]]*\])?\s*(?P<pin>[<>=!~][^;#"'\n]*)?(?=\s*(?:$|[;#"',]))""",
    re.IGNORECASE | re.MULTILINE,
)
_VERSION = re.compile(r"(==|~=|<=?)\s*(\d+)(?:\.(\d+))?")
_TEMPLATE = re.compile(r"{%\s*(load\s+[^%]*\b(?:staticfiles|admin_static|future)\b|if(?:not)?equal\b)[^%]*%}")
_DAPHNE = re.compile(r"(?:^|[\s/'\"\[])daphne[\s'\",]+(?=-|\S+:\S+)(?P<rest>.*)")

_DAPHNE_OPTIONS = {
    "--http-timeout": "the setting CHANNELS_HTTP_TIMEOUT",
    "-t": "the setting CHANNELS_HTTP_TIMEOUT",
    "--ws-protocol": "the setting CHANNELS_WS_PROTOCOLS",
    "--root-path": "the setting CHANNELS_ROOT_PATH",
    "--websocket_timeout": "the setting CHANNELS_WEBSOCKET_TIMEOUT",
    "--websocket_connect_timeout": "the setting CHANNELS_WEBSOCKET_CONNECT_TIMEOUT",
    "--proxy-headers": "uvicorn's --proxy-headers",
    "--ping-interval": "uvicorn's --ws-ping-interval",
    "--ping-timeout": "uvicorn's --ws-ping-timeout",
    "--access-log": "uvicorn's --access-log",
    "-e": "uvicorn's --ssl-certfile and --ssl-keyfile",
    "--endpoint": "uvicorn's --ssl-certfile and --ssl-keyfile",
    "--unix-socket": "uvicorn's --uds",
    "-u": "uvicorn's --uds",
    "--force-sync": "nothing: layers wake their readers",
}


def check_requirements(path: str, text: str) -> Iterator[Finding]:
    """Yield requirements that clash with this distribution or are too old for it."""
    for found in _REQUIREMENT.finditer(text):
        name = found["name"].lower().replace("_", "-")
        advice = _advise(name, _upper_bound(found["pin"] or ""))
        if advice is not None:
            line = text.count("\n", 0, found.start("name")) + 1
            yield Finding(path, line, "requirement", Weight.BREAKS, *advice)


def _upper_bound(pin: str) -> tuple[int, int] | None:
    """Return the version that a pin does not go beyond: ``==1.11.29`` is (1, 11), ``<2`` just under (2, 0)."""
    bounds = []
    for operator, major, minor in _VERSION.findall(pin):
        version = (int(major), int(minor or 0))
        bounds.append((version[0], version[1] - 1) if operator == "<" else version)
    return min(bounds, default=None)


def _advise(name: str, bound: tuple[int, int] | None) -> tuple[str, str] | None:
    too_old = "{} is held at a version that is too old."
    if name == "channels":
        return "The distribution channels is another library today.", "Replace it by channels-classic."
    if name in ("asgi-redis", "asgi-ipc"):
        return f"{name} is part of this distribution now.", "Remove the line."
    if name == "msgpack-python":
        return "msgpack-python has been renamed to msgpack.", "Remove the line: channels-classic requires msgpack."
    oldest = {"asgiref": (3, 8), "daphne": (4, 1), "django": (5, 2), "redis": (5, 0)}[name]
    if bound is None or bound >= oldest:
        return None
    fixes = {
        "asgiref": "Remove the line: Django and channels-classic require what they need.",
        "daphne": "Remove the line, or require daphne>=4.1 if it shall stay the server.",
        "django": "Require Django>=5.2,<6.2 and follow Django's release notes; django-upgrade does most of the work.",
        "redis": "Remove the line, or require redis>=5.",
    }
    return too_old.format(name), fixes[name]


def check_template(path: str, text: str) -> Iterator[Finding]:
    """Yield template tags that Django no longer has."""
    for found in _TEMPLATE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        tag = found[1].strip()
        fix = "Use {% load static %}." if tag.startswith("load") else "Use {% if a == b %} or {% if a != b %}."
        what = f"{{% {tag} %}} was removed from Django's templates."
        yield Finding(path, line, "django-removed", Weight.BREAKS, what, fix)


def check_process_lines(path: str, text: str) -> Iterator[Finding]:
    """Yield command lines that start daphne as it was called in its first versions."""
    for number, line in enumerate(text.splitlines(), 1):
        found = None if line.lstrip().startswith("#") else _DAPHNE.search(line)
        if found is None:
            continue
        words = re.split(r"[\s'\",=\]]+", found["rest"])
        mapped = [f"{word} is {_DAPHNE_OPTIONS[word]}" for word in words if word in _DAPHNE_OPTIONS]
        fix = "Start any ASGI server, for example: uvicorn project.asgi:channel_layer --host ADDRESS --port PORT."
        if mapped:
            fix += f" {'; '.join(mapped)}."
        yield Finding(path, number, "daphne-command", Weight.DIFFERS, "This line starts daphne 1.x.", fix)
