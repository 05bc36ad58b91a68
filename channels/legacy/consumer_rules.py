"""What behaves differently in consumers, routing and the settings of this package."""

import ast
import builtins
from collections.abc import Iterator

from channels.legacy.findings import Finding, Weight
from channels.legacy.modules import Function, Module, Project
from channels.registry import OLD_BACKENDS

CLASSES = (
    "channels.generic.websockets.WebsocketConsumer",
    "channels.generic.websockets.JsonWebsocketConsumer",
    "channels.generic.websockets.WebsocketDemultiplexer",
)
_DECIDING_KEYS = {"accept", "close"}
_DATA_KEYS = {"text", "bytes"}
_DEPTH = 3


def check_slight(module: Module) -> Iterator[Finding]:
    """Yield the slight form of ordering, as an argument and as an attribute of a class."""
    fix = "Remove it: enforce_ordering and strict_ordering keep the whole order at little cost."
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg == "slight":
            yield Finding(module.path, node.value.lineno, "slight", Weight.TIDY, "slight= does nothing and warns.", fix)
        elif isinstance(node, ast.Assign) and _is_named(node, "slight_ordering"):
            what = "slight_ordering does nothing and warns."
            yield Finding(module.path, node.lineno, "slight", Weight.TIDY, what, fix)


def check_strings(module: Module) -> Iterator[Finding]:
    """Yield texts that name old backends, or reply channels as they were once called."""
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if node.value in OLD_BACKENDS:
            what = f"{node.value} is an old path; it leads to the layer of this package."
            fix = f"Write {OLD_BACKENDS[node.value]}."
            yield Finding(module.path, node.lineno, "old-backend", Weight.TIDY, what, fix)
        elif node.value.startswith("daphne.response"):
            what = "Reply channels are not named daphne.response any more."
            fix = "Use message.reply_channel; listen on channels of your own names."
            yield Finding(module.path, node.lineno, "daphne-response", Weight.BREAKS, what, fix)


def check_session_engine(project: Project) -> Iterator[Finding]:
    """Yield signed cookies as the engine of channel sessions, which have no browser to keep them."""
    engines = {
        name: (module, value.value, line)
        for module in project.modules
        for name, value, line in module.assignments()
        if name in ("SESSION_ENGINE", "CHANNEL_SESSION_ENGINE") and isinstance(value, ast.Constant)
    }
    if not engines:
        return
    module, value, line = engines.get("CHANNEL_SESSION_ENGINE") or engines["SESSION_ENGINE"]
    if str(value).endswith("signed_cookies"):
        what = "Channel sessions cannot be kept in signed cookies."
        fix = 'Set CHANNEL_SESSION_ENGINE = "django.contrib.sessions.backends.db" or another engine of the server side.'
        yield Finding(module.path, line, "session-engine", Weight.BREAKS, what, fix)


def check_connects(project: Project) -> Iterator[Finding]:
    """Yield connect consumers that leave the handshake undecided, and those that return what they should send."""
    is_settled = any(name == "CHANNELS_AUTO_ACCEPT" for module in project.modules for name, *_ in module.assignments())
    for module, consumer in _connect_consumers(project):
        yield from _returned(module, consumer)
        if not is_settled and not _decides(project, module, consumer, _DEPTH):
            yield Finding(
                module.path,
                consumer.lineno,
                "undecided-connect",
                Weight.DIFFERS,
                f"{consumer.name} neither accepts nor closes: 1.x left such sockets waiting, here they are accepted.",
                'Send {"accept": True} to message.reply_channel, or set CHANNELS_AUTO_ACCEPT to what you want.',
            )


def _connect_consumers(project: Project) -> list[tuple[Module, Function]]:
    found: dict[tuple[str, int], tuple[Module, Function]] = {}
    streams = _streams(project)
    for module in project.modules:
        for node in ast.walk(module.tree):
            consumer = _routed_connect(module, node)
            place = project.find(module.dotted(consumer)) if consumer is not None else None
            if place is not None and not isinstance(place[1], ast.ClassDef):
                found[place[0].path, place[1].lineno] = (place[0], place[1])
            if (
                isinstance(node, ast.ClassDef)
                and id(node) not in streams
                and _is_websocket_class(project, module, node)
            ):
                for part in node.body:
                    if isinstance(part, ast.FunctionDef) and part.name == "connect":
                        found[module.path, part.lineno] = (module, part)
    return list(found.values())


def _routed_connect(module: Module, node: ast.AST) -> ast.expr | None:
    if (
        isinstance(node, ast.Call)
        and len(node.args) > 1
        and module.dotted(node.func)
        in (
            "channels.route",
            "channels.routing.route",
        )
    ):
        return node.args[1] if _text(node.args[0]) == "websocket.connect" else None
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if _text(key) == "websocket.connect":
                return value
    return None


def _is_websocket_class(project: Project, module: Module, node: ast.ClassDef, depth: int = _DEPTH) -> bool:
    return any(_leads_to_websocket_class(project, module.dotted(base), depth) for base in node.bases)


def _leads_to_websocket_class(project: Project, dotted: str | None, depth: int) -> bool:
    if dotted in CLASSES:
        return True
    place = project.find(dotted)
    if place is None or not isinstance(place[1], ast.ClassDef) or depth == 0:
        return False
    return _is_websocket_class(project, place[0], place[1], depth - 1)


def _streams(project: Project) -> set[int]:
    """Identify the classes that a demultiplexer holds: it accepts the socket for them."""
    found: set[int] = set()
    for module in project.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and _is_named(node, "consumers"):
                places = [project.find(module.dotted(value)) for value in node.value.values]
                found |= {id(place[1]) for place in places if place is not None}
    return found


def _is_named(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def _returned(module: Module, consumer: Function) -> Iterator[Finding]:
    for node in ast.walk(consumer):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict) and _keys(node.value) & _DECIDING_KEYS:
            what = f"{consumer.name} returns a message; what a consumer returns is ignored."
            fix = "Send it: message.reply_channel.send({...})."
            yield Finding(module.path, node.lineno, "returned-message", Weight.BREAKS, what, fix)


def _decides(project: Project, module: Module, function: Function, depth: int) -> bool:
    """Tell whether the function may accept or refuse, itself or in what it calls; in doubt it does."""
    returned = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Return)}
    for node in ast.walk(function):
        if isinstance(node, ast.Dict) and id(node) not in returned and _keys(node) & _DECIDING_KEYS:
            return True
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and _call_decides(project, module, function, node, depth):
            return True
    return any(_decorator_decides(project, module, each, depth) for each in function.decorator_list)


def _call_decides(project: Project, module: Module, function: Function, call: ast.Call, depth: int) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("close", "connect"):  # self.close(), super().connect(...)
        return True
    if name == "send":
        return _sends_data(call)
    own = {"self", "message", *(each.arg for each in function.args.args[:2])}
    takes_message = any(isinstance(argument, ast.Name) and argument.id in own for argument in call.args)
    is_own_method = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "self"
    if not takes_message and not is_own_method:
        return False
    place = project.find(module.dotted(call.func))
    if place is None or isinstance(place[1], ast.ClassDef):
        # Somebody else's code has the message: it may well answer.
        return not (hasattr(builtins, name) or (module.dotted(call.func) or "").startswith("channels."))
    return depth > 0 and place[1] is not function and _decides(project, *_as_function(place), depth - 1)


def _as_function(place: tuple[Module, Function | ast.ClassDef]) -> tuple[Module, Function]:
    module, node = place
    assert not isinstance(node, ast.ClassDef)
    return module, node


def _sends_data(call: ast.Call) -> bool:
    """Data to the socket itself accepts it; data to a group does not."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    to_socket = isinstance(owner, ast.Attribute) and owner.attr == "reply_channel"
    by_class = isinstance(owner, ast.Name) and owner.id == "self"
    if by_class:
        return True
    if not (to_socket and call.args):
        return False
    return not isinstance(call.args[0], ast.Dict) or bool(_keys(call.args[0]) & (_DATA_KEYS | _DECIDING_KEYS))


def _decorator_decides(project: Project, module: Module, decorator: ast.expr, depth: int) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    dotted = module.dotted(called) or ""
    if dotted.startswith("channels."):
        return False
    if dotted == "django.utils.decorators.method_decorator" and isinstance(decorator, ast.Call) and decorator.args:
        return _decorator_decides(project, module, decorator.args[0], depth)
    place = project.find(dotted)
    if place is None or isinstance(place[1], ast.ClassDef):
        return True
    return depth > 0 and _decides(project, place[0], place[1], depth - 1)


def _keys(node: ast.Dict) -> set[str]:
    return {text for key in node.keys if (text := _text(key)) is not None}


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
