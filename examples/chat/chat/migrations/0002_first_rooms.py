"""Rooms to begin with."""

from typing import Any

from django.db import migrations

ROOMS = (
    ("lobby", "Lobby", "Come in, say hello, look around"),
    ("kitchen", "Kitchen", "Recipes, leftovers and strong opinions"),
    ("workshop", "Workshop", "What are you building?"),
)


def open_rooms(apps: Any, schema_editor: Any) -> None:
    """Make the rooms that are not there."""
    room_model = apps.get_model("chat", "Room")
    for slug, title, topic in ROOMS:
        room_model.objects.get_or_create(slug=slug, defaults={"title": title, "topic": topic})


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_initial")]

    operations = [migrations.RunPython(open_rooms, migrations.RunPython.noop)]
