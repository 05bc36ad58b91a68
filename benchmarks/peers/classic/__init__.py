"""The measured project for Channels 1.x on Python 3.6 and Django 1.11: no syntax newer than that."""
