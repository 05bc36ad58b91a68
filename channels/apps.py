"""The Django app: registers checks and bindings, and puts our ``runserver`` in the place of Django's."""

from django.apps import AppConfig
from django.core.management import get_commands
from django.utils.module_loading import autodiscover_modules

DJANGO_RUNSERVERS = frozenset({"django.core", "django.contrib.staticfiles"})
"""Apps whose ``runserver`` knows no WebSockets and is replaced wherever this app stands."""


class ChannelsConfig(AppConfig):
    """Configuration of the app ``channels``."""

    name = "channels"
    verbose_name = "Channels"

    def ready(self) -> None:
        """Register what Django has to know. Running again changes nothing."""
        from channels import checks
        from channels.observe import start

        checks.register()
        start.connect()
        start.start_tracing()
        # Whoever saves a row sends its changes, so bindings are found in every process: sites, commands, task queues.
        from channels.binding.base import BindingMetaclass

        autodiscover_modules("bindings")
        BindingMetaclass.register_all()
        # Another app's runserver that stands before ours was chosen by the project; it can build on ours.
        commands = get_commands()
        if commands.get("runserver") in DJANGO_RUNSERVERS:
            commands["runserver"] = self.name
