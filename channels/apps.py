"""The Django app: registers the system checks and puts our ``runserver`` in the place of Django's."""

from django.apps import AppConfig
from django.core.management import get_commands

DJANGO_RUNSERVERS = frozenset({"django.core", "django.contrib.staticfiles"})
"""Apps whose ``runserver`` knows no WebSockets and is replaced wherever this app stands."""


class ChannelsConfig(AppConfig):
    """Configuration of the app ``channels``."""

    name = "channels"
    verbose_name = "Channels"

    def ready(self) -> None:
        """Register what Django has to know. Running again changes nothing."""
        from channels import checks

        checks.register()
        # Another app's runserver that stands before ours was chosen by the project; it can build on ours.
        commands = get_commands()
        if commands.get("runserver") in DJANGO_RUNSERVERS:
            commands["runserver"] = self.name
