"""The forms of the pages."""

from typing import Any

from django import forms
from django.contrib.auth.models import User


class SignInForm(forms.ModelForm):
    """Take a name that nobody has. There is no password: the name lasts as long as the session."""

    class Meta:
        model = User
        fields = ("username",)
        labels = {"username": "Your name"}  # noqa: RUF012
        help_texts = {"username": ""}  # noqa: RUF012

    def save(self, commit: bool = True) -> Any:
        """Make the account; nobody can log in to it again."""
        self.instance.set_unusable_password()
        return super().save(commit)
