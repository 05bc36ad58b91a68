"""The forms of the pages."""

from typing import Any

import common_sign_in
from django.contrib.auth.models import User


class SignInForm(common_sign_in.SignInForm):
    """Make the first visitor one of the staff, who may use the playground."""

    def save(self, commit: bool = True) -> Any:
        """Make the account."""
        self.instance.is_staff = not User.objects.exists()
        return super().save(commit)
