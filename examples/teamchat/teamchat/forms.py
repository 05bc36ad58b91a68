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
        """Make the account. The first one is of the staff, who may use the playground."""
        self.instance.set_unusable_password()
        self.instance.is_staff = not User.objects.exists()
        return super().save(commit)
