"""The check of delayed messages: that somebody sends them."""

import datetime
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage
from django.db import DatabaseError, router
from django.utils import timezone
from django.utils.translation import ngettext

from channels.checks import catalogue

OVERDUE_SECONDS = 60
"""How long a message may be due before somebody has to be told."""


def check_delays(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """No delayed message has been due for long."""
    if not apps.is_installed("channels.delay"):
        return []
    model: Any = apps.get_model("channels_delay", "DelayedMessage")
    database = router.db_for_write(model)  # Where delay servers look for them.
    if database not in (databases or ()):
        return []
    limit = timezone.now() - datetime.timedelta(seconds=OVERDUE_SECONDS)
    try:
        count = model.objects.using(database).filter(due_date__lt=limit).count()
    except DatabaseError:  # Not migrated yet.
        return []
    if not count:
        return []
    what = ngettext("%d delayed message has", "%d delayed messages have", count) % count
    return [catalogue.DELAYS_OVERDUE(f"{what} been due for more than a minute.")]
