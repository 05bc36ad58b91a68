"""``manage.py channels``: look into a channel layer, and help it. What the arguments lead to is in ``inspecting``."""

import argparse
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels.exceptions import InvalidChannelLayerError, LayerUnavailable
from channels.management.inspecting import messages, reports
from channels.observe.doctor import Standards
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers


def _positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} must be more than 0")
    return number


class Command(BaseCommand):
    """Look into a channel layer."""

    help = "Shows what is on a channel layer, who uses it, and what is wrong with it."
    leave_locale_alone = True
    requires_system_checks: list[str] = []  # noqa: RUF012 (as Django writes it; a broken project needs a doctor)

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the actions and their options."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        def action(name: str, text: str) -> Any:
            added = actions.add_parser(name, help=text, description=text)
            added.add_argument(
                "--layer", default=DEFAULT_CHANNEL_LAYER, help="Alias of the channel layer (default: %(default)s)."
            )
            return added

        status = action("status", "Show processes, channels, groups and counters.")
        status.add_argument("--interval", type=_positive, default=2.0, help="Seconds over which rates are measured.")
        status.add_argument("--json", action="store_true", help="Write JSON.")
        top = action("top", "Show the same, live.")
        top.add_argument("--interval", type=_positive, default=2.0, help="Seconds between two looks.")
        self._add_messages(action)
        doctor = action("doctor", "Send probes through every hop and say which one is slow or broken.")
        doctor.add_argument("--json", action="store_true", help="Write JSON.")
        normal = Standards()
        for name in ("patience", "slow_layer", "slow_answer", "skew"):
            option = f"--{name.replace('_', '-')}"
            doctor.add_argument(option, type=_positive, default=getattr(normal, name), help=_STANDARDS[name])

    def _add_messages(self, action: Any) -> None:
        peek = action("peek", "Show the oldest messages of a channel and leave them there.")
        peek.add_argument("channel")
        peek.add_argument("--limit", type=int, default=10, help="Most messages (default: %(default)s).")
        send = action("send", "Send a message.")
        send.add_argument("name", help="Name of the channel, or with --group of the group.")
        send.add_argument("content", help="Content as a JSON object.")
        send.add_argument("--group", action="store_true", help="Send to the members of a group.")
        flush = action("flush", "Remove all messages and groups, or the messages of one channel.")
        flush.add_argument("--channel", help="Remove only the messages of this channel.")
        flush.add_argument("--noinput", action="store_false", dest="interactive", help="Do not ask.")
        letters = action("dead-letters", "Show, send again or delete messages that were never finished.")
        letters.add_argument("what", choices=("list", "replay", "delete"))
        letters.add_argument("channel", nargs="?", help="Its name; without it, list names the channels that have some.")
        letters.add_argument("--id", action="append", dest="ids", help="Only this one; may be given several times.")
        letters.add_argument("--limit", type=int, default=100, help="Most messages (default: %(default)s).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked for."""
        try:
            layer = channel_layers[options["layer"]]
            getattr(self, f"_{options['action'].replace('-', '_')}")(layer, options)
        except (KeyError, InvalidChannelLayerError, ImproperlyConfigured, LayerUnavailable) as error:
            raise CommandError(str(error.args[0] if error.args else error)) from error

    def _status(self, layer: Any, options: dict[str, Any]) -> None:
        reports.status(layer, self.stdout.write, options["interval"], options["json"])

    def _top(self, layer: Any, options: dict[str, Any]) -> None:
        from channels.management.inspecting import top

        top.run(layer, options["interval"])

    def _doctor(self, layer: Any, options: dict[str, Any]) -> None:
        standards = Standards(**{name: options[name] for name in _STANDARDS})
        reports.doctor(layer, self.stdout.write, standards, options["json"], self.style)

    def _peek(self, layer: Any, options: dict[str, Any]) -> None:
        messages.peek(layer, self.stdout.write, options["channel"], options["limit"])

    def _send(self, layer: Any, options: dict[str, Any]) -> None:
        messages.send(layer, self.stdout.write, options["name"], options["content"], options["group"])

    def _flush(self, layer: Any, options: dict[str, Any]) -> None:
        what = f"all messages of {options['channel']}" if options["channel"] else "all messages and groups"
        if options["interactive"] and input(f"Remove {what} from {layer}? Type 'yes' to go on: ") != "yes":
            raise CommandError("Nothing was removed.")
        messages.flush(layer, self.stdout.write, options["channel"])

    def _dead_letters(self, layer: Any, options: dict[str, Any]) -> None:
        act = {
            "list": messages.list_dead_letters,
            "replay": messages.replay_dead_letters,
            "delete": messages.delete_dead_letters,
        }[options["what"]]
        act(layer, self.stdout.write, options["channel"], options["limit"], options["ids"])


_STANDARDS = {
    "patience": "Seconds to wait for the answer to a probe (default: %(default)s).",
    "slow_layer": "Seconds to the layer from which on it is slow (default: %(default)s).",
    "slow_answer": "Seconds from which on the answer to a probe is slow (default: %(default)s).",
    "skew": "Seconds by which clocks may differ (default: %(default)s).",
}
