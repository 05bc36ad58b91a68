"""The names of the groups that sockets join."""


def board_group(board_id: int) -> str:
    """Return the group of all open pages of a board."""
    return f"board.{board_id}"
