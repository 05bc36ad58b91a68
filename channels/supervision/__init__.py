"""What keeps workers running: limits, health reports, and the process that starts and replaces worker processes.

What a worker does stands in ``channels.worker``; nothing here takes or runs a message.
"""
