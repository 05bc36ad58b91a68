"""Settings of the site that promises depend on."""

ORDERING_SECONDS = 4.0
"""How long ordered messages wait for a lost one. Longer than it takes until that is delivered again."""
