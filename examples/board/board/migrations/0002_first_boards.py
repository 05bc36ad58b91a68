"""Two boards to begin with."""

from django.db import migrations


def make_boards(apps, schema_editor):
    """Open the boards."""
    board = apps.get_model("board", "Board")
    board.objects.bulk_create([board(slug="garden", title="Garden"), board(slug="kitchen", title="Kitchen")])


class Migration(migrations.Migration):
    dependencies = (("board", "0001_initial"),)

    operations = (migrations.RunPython(make_boards, migrations.RunPython.noop),)
