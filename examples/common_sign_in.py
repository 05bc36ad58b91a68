"""The page of the board and the team chat on which visitors take a name; ``examples/`` is on the path of both."""

from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.views.generic import CreateView


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


class SignIn(CreateView):
    """Take a name, and use it."""

    form_class = SignInForm
    success_url = reverse_lazy("home")

    def form_valid(self, form: SignInForm) -> HttpResponse:
        """Make the account, then use it."""
        response = super().form_valid(form)
        login(self.request, self.object, "django.contrib.auth.backends.ModelBackend")
        return response
