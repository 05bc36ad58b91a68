"""Make the database of the project, with what its tests begin with; print the visitors' cookies as JSON."""

import json
import os
import sys

import django
from django.core.management import call_command


def main() -> None:
    """Migrate, then make users, a crew and sessions."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.consumers_typed.site.settings")
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)

    from django.contrib.auth.models import User
    from django.test import Client

    from tests.consumers_typed.site.crews.models import Crew

    crew = Crew.objects.create(pk=1, title="kitchen")
    cookies = {}
    for name in ("ada", "bob", "eve"):
        user = User.objects.create_user(name)
        if name != "eve":
            crew.members.create(user=user)
        client = Client()
        client.force_login(user)
        cookies[name] = client.cookies["sessionid"].value
    sys.stdout.write(json.dumps(cookies))


if __name__ == "__main__":
    main()
