"""What tells a message from others, so that the layer knows whether it was sent."""

from typing import Any

from django.db import migrations, models

import channels.delay.models

OPTIONS: dict[str, Any] = {"editable": False, "max_length": 200, "null": True, "unique": True}


class Migration(migrations.Migration):
    dependencies = [("channels_delay", "0001_initial")]

    # In two steps: a default is called once for all rows that are there, and theirs must differ.
    operations = [
        migrations.AddField("delayedmessage", "mark", models.CharField(default=None, **OPTIONS)),
        migrations.AlterField(
            "delayedmessage", "mark", models.CharField(default=channels.delay.models.make_mark, **OPTIONS)
        ),
    ]
