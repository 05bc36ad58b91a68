"""The forms of the pages."""

from typing import Any

from django import forms
from django.utils.text import slugify

from .models import Room


class RoomForm(forms.ModelForm):
    """Open a room; its address is made from its title."""

    class Meta:
        model = Room
        fields = ("title", "topic")

    def clean_title(self) -> str:
        """Refuse titles that make no address, or that of another room."""
        title = " ".join(self.cleaned_data["title"].split())
        slug = slugify(title)
        if not slug or slug == "new":
            raise forms.ValidationError("Use a title with a few letters or digits.")
        if Room.objects.filter(slug=slug).exists():
            raise forms.ValidationError("There is a room with this title already.")
        self.instance.slug = slug
        return title

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["title"].widget.attrs["placeholder"] = "Title"
        self.fields["topic"].widget.attrs["placeholder"] = "What it is about (optional)"
