"""Documents in the admin."""

from django.contrib import admin

from tests.handler.office.models import Document

admin.site.register(Document)
