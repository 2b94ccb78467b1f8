"""What ends a command."""


class CommandError(Exception):
    """A command cannot do what was asked; the message is all that the user sees."""
