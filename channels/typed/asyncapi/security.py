"""The security schemes of a document: how the clients of its consumers say who they are."""

from typing import Any

from channels.typed.asyncapi.routes import unused_name
from channels.typed.authentication import SecurityScheme


class SecuritySchemes:
    """Collects the schemes of all consumers.

    Attributes:
        by_name: What was collected.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, SecurityScheme] = {}

    def refer(self, consumer: Any) -> list[dict[str, str]]:
        """Return the places of the schemes of ``consumer`` in the document, and collect those that are new."""
        wanted = consumer.get_authenticator_class().security_schemes(consumer)
        return [{"$ref": f"#/components/securitySchemes/{self._add(*each)}"} for each in wanted.items()]

    def _add(self, name: str, scheme: SecurityScheme) -> str:
        """Return the name of ``scheme``: the one it has already, else ``name``, unless that is another one's."""
        for known, each in self.by_name.items():
            if each == scheme:
                return known
        unused = unused_name(name, self.by_name)
        self.by_name[unused] = scheme
        return unused
