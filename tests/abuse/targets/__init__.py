"""Everything that reads what comes from outside, as targets; each module has those of one kind of outside."""

from tests.abuse.target import Target
from tests.abuse.targets import clients, entries, files, frames, messages, operators, replies

TARGETS: dict[str, Target] = {
    value.name: value
    for module in (clients, frames, messages, replies, entries, files, operators)
    for value in vars(module).values()
    if isinstance(value, Target)
}
"""All of them by name."""
