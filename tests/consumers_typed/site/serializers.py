"""Models of the project as JSON."""

from rest_framework import serializers

from tests.consumers_typed.site.crews.models import Note


class NoteSerializer(serializers.ModelSerializer):
    """A note and who wrote it."""

    author = serializers.CharField(source="author.user.username")

    class Meta:
        model = Note
        fields = ("id", "text", "author", "written_at")
