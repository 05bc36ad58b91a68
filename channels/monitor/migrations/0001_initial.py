"""Makes no table: only the permission to see the page."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The model that the admin lists."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Layer",
            fields=[("alias", models.CharField(max_length=100, primary_key=True, serialize=False))],
            options={"managed": False, "default_permissions": ("view",)},
        ),
    ]
