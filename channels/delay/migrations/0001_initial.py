"""The table of delayed messages, unless 1.x has made it."""

from typing import Any

from django.db import migrations, models


class CreateModelUnlessThere(migrations.CreateModel):
    """Creates the table of a model if the database has none of its name: 1.x made it under another app label."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the table unless it is there."""
        connection = schema_editor.connection
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        with connection.cursor() as cursor:
            is_there = table in connection.introspection.table_names(cursor)
        if not is_there:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        CreateModelUnlessThere(
            name="DelayedMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("due_date", models.DateTimeField(db_index=True)),
                ("channel_name", models.CharField(max_length=512)),
                ("content", models.TextField(help_text="The message, as JSON.")),
            ],
            options={
                "verbose_name": "delayed message",
                "db_table": "channels.delay_delayedmessage",
            },
        ),
    ]
