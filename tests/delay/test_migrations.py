"""The tables of delayed messages: new ones, and those that 1.x made."""

import datetime
import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from channels.delay.models import DelayedMessage
from channels.delay.sending import send_messages
from tests.support.connection import make_layer

TABLE = DelayedMessage._meta.db_table

OLD_TABLES = {
    "sqlite": [
        f'CREATE TABLE "{TABLE}" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "due_date" datetime NOT NULL, '
        '"channel_name" varchar(512) NOT NULL, "content" text NOT NULL)',
        f'CREATE INDEX "channels.delay_delayedmessage_due_date" ON "{TABLE}" ("due_date")',
    ],
    "postgresql": [
        f'CREATE TABLE "{TABLE}" ("id" serial NOT NULL PRIMARY KEY, "due_date" timestamp with time zone NOT NULL, '
        '"channel_name" varchar(512) NOT NULL, "content" text NOT NULL)',
        f'CREATE INDEX "channels.delay_delayedmessage_due_date" ON "{TABLE}" ("due_date")',
    ],
}
"""What ``migrate`` of 1.x ran on each database; its label was ``channels.delay``."""


@pytest.fixture
def migrate(transactional_db):
    """Return a function that migrates this app; in the end all migrations are applied."""

    def to(name):
        executor = MigrationExecutor(connection)
        executor.migrate([("channels_delay", name)])

    yield to
    to("0002_mark")


def columns():
    """Return the columns of the table."""
    with connection.cursor() as cursor:
        return [column.name for column in connection.introspection.get_table_description(cursor, TABLE)]


def test_tables_are_made_and_removed(migrate):
    """Forwards and back."""
    migrate(None)
    assert TABLE not in connection.introspection.table_names()
    migrate("0001_initial")
    assert columns() == ["id", "due_date", "channel_name", "content"]


def test_models_and_migrations_agree(db):
    """Nothing is left to migrate."""
    call_command("makemigrations", "channels_delay", check=True, dry_run=True, verbosity=0)


def test_database_of_1x_is_migrated(migrate):
    """Its table stays, with what waits in it, and can be used."""
    migrate(None)
    with connection.cursor() as cursor:
        for statement in OLD_TABLES[connection.vendor]:
            cursor.execute(statement)
        due = datetime.datetime(2017, 1, 1, tzinfo=datetime.timezone.utc)
        for channel in ("old", "older"):
            cursor.execute(
                f'INSERT INTO "{TABLE}" ("due_date", "channel_name", "content") VALUES (%s, %s, %s)',
                [connection.ops.adapt_datetimefield_value(due), channel, json.dumps({"n": 1})],
            )
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)",
            ["channels.delay", "0001_initial", connection.ops.adapt_datetimefield_value(due)],
        )
    call_command("migrate", verbosity=0)
    assert columns()[:4] == ["id", "due_date", "channel_name", "content"]
    layer = make_layer()
    DelayedMessage.objects.create(channel_name="new", content='{"n": 2}', delay=-1)
    assert send_messages(layer, DelayedMessage.objects.is_due()) == 3
    assert layer.receive(["old"])[1] == layer.receive(["older"])[1] == {"n": 1}
    assert layer.receive(["new"])[1] == {"n": 2}
