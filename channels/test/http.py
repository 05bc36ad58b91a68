"""``HttpClient``, the old name of ``WSClient``; making one warns."""

import warnings
from typing import Any

from channels.test.websocket import WSClient


class HttpClient(WSClient):
    """Use ``WSClient``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            "HttpClient is called WSClient: import that from channels.test.", DeprecationWarning, stacklevel=2
        )
        super().__init__(*args, **kwargs)
