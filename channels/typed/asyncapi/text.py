"""Documents as text: JSON, or YAML where PyYAML is installed."""

import json
from collections.abc import Mapping
from typing import Any

FORMATS = ("json", "yaml")


def write_document(document: Mapping[str, Any], form: str = "json") -> str:
    """Return ``document`` as text.

    Args:
        document: The document.
        form: One of ``FORMATS``.

    Raises:
        ValueError: It is another form.
        ImportError: YAML is asked for without PyYAML; the text says what to install.
    """
    if form not in FORMATS:
        raise ValueError(f"A document is written as {' or '.join(FORMATS)}, not as {form!r}.")
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            "YAML needs PyYAML, which the extra 'typed' installs: pip install \"channels-classic[typed]\""
        ) from error
    text: str = yaml.dump(document, Dumper=_plain(yaml), sort_keys=False, allow_unicode=True, width=110)
    return text


def _plain(yaml: Any) -> Any:
    """Return a dumper that writes what stands twice twice, instead of an anchor and an alias."""
    return type("PlainDumper", (yaml.SafeDumper,), {"ignore_aliases": lambda self, data: True})
