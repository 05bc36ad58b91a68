"""The app of the old site."""
