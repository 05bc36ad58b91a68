"""System checks: mistakes in a project, found before its first message.

What each id means stands in ``catalogue``; the other modules look for it, one subject each.
"""

from django.core import checks

from channels.checks.catalogue import TAG
from channels.checks.consumers import check_decisions, check_origins
from channels.checks.delays import check_delays
from channels.checks.environment import check_distributions, check_extras, check_runserver
from channels.checks.layers import check_layers, check_local_layers, check_old_backends, check_redelivery
from channels.checks.monitor import check_monitor
from channels.checks.settings import (
    check_auto_accept,
    check_names,
    check_session_engines,
    check_unrouted,
    check_values,
)

ALWAYS = (
    check_layers,
    check_old_backends,
    check_redelivery,
    check_names,
    check_values,
    check_auto_accept,
    check_unrouted,
    check_decisions,
    check_session_engines,
    check_distributions,
    check_extras,
    check_runserver,
    check_monitor,
)
FOR_DEPLOYMENT = (check_local_layers, check_origins)
WITH_DATABASE = (check_delays,)


def register() -> None:
    """Register the checks of this package."""
    for check in ALWAYS:
        checks.register(check, TAG)
    for check in FOR_DEPLOYMENT:
        checks.register(check, TAG, deploy=True)
    for check in WITH_DATABASE:
        checks.register(check, TAG, checks.Tags.database)
