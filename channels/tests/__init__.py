"""The old name of ``channels.test``; what is imported from here warns."""

import warnings
from typing import Any

from channels import test

__all__ = list(test.__all__)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(test, name)
    warnings.warn(f"Import {name} from channels.test instead of channels.tests.", DeprecationWarning, stacklevel=2)
    return value
