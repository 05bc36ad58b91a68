"""A runserver that knows nothing of ours."""

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Serve something."""
