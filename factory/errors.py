"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user can put right. The message is one line: the thing, the value, the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
