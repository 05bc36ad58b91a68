"""A room to begin with."""

from typing import Any

from django.db import migrations


def open_room(apps: Any, schema_editor: Any) -> None:
    """Make the room that everybody is a member of."""
    values = {"title": "Everybody", "topic": "Say hello", "is_open": True}
    apps.get_model("teamchat", "Room").objects.get_or_create(slug="everybody", defaults=values)


class Migration(migrations.Migration):
    dependencies = [("teamchat", "0001_initial")]

    operations = [migrations.RunPython(open_room, migrations.RunPython.noop)]
