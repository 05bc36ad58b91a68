"""``manage.py generate_asyncapi_schema``: what the typed consumers of the project speak, as an AsyncAPI 3 document."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels.exceptions import InvalidChannelLayerError
from channels.registry import DEFAULT_CHANNEL_LAYER


class Command(BaseCommand):
    """Write the document to the standard output or a file."""

    help = "Writes the AsyncAPI 3 document of the project's typed consumers."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--format", choices=["json", "yaml"], help="default: by the ending of --file, else json", default=None
        )
        parser.add_argument("--file", type=Path, help="write to this file instead of the standard output")
        parser.add_argument("--layer", default=DEFAULT_CHANNEL_LAYER, help="alias of the layer whose routing is read")
        parser.add_argument("--base-url", help="where the site is, such as wss://example.com")
        parser.add_argument("--title", help="title of the document")
        parser.add_argument("--api-version", help="version of the protocol")
        parser.add_argument("--description", help="text at the beginning")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it, or say what is in the way."""
        try:
            text = self._make(options)
        except (ImportError, KeyError, ImproperlyConfigured, InvalidChannelLayerError) as error:
            raise CommandError(str(error.args[0] if error.args else error)) from error
        file: Path | None = options["file"]
        if file is None:
            self.stdout.write(text, ending="")
            return
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"Cannot write {file}: {error.strerror}") from error

    def _make(self, options: dict[str, Any]) -> str:
        from channels.typed.asyncapi import build_document, find_routes, write_document

        routes = find_routes(options["layer"])
        if not routes:
            self.stderr.write(f"The routing of the layer {options['layer']!r} has no typed consumer.")
        document = build_document(
            routes,
            base_url=options["base_url"],
            title=options["title"],
            version=options["api_version"],
            description=options["description"],
        )
        file: Path | None = options["file"]
        is_yaml = file is not None and file.suffix in (".yaml", ".yml")
        return write_document(document, options["format"] or ("yaml" if is_yaml else "json"))
