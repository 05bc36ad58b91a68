"""A page of the Django admin that shows a channel layer live: the app ``channels.monitor``.

What is seen comes from ``channels.observe``; here are the page, its socket, and who may look.
"""
