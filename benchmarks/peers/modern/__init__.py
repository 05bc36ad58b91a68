"""The measured project for Channels 4 with channels_redis."""
