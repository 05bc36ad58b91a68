"""A runserver that builds on ours."""

from channels.management.commands.runserver import Command as OurCommand


class Command(OurCommand):
    """Say whose it is."""

    help = "This is a runserver of the project."
