"""The Django project that is measured, and the bare application beside it."""
