"""How commands end: the exit statuses, and the one exception that says why in a sentence."""

from typing import Final

import rich_click as click

ANSWER_IS_NO: Final = 1
"""It was done, and the answer is no: a breach, a refusal by the present state."""
WRONG_INPUT: Final = 2
"""The command line, the settings or the input are wrong; the same again will fail again."""
UNAVAILABLE: Final = 3
"""The database or the port cannot be had now; the same may work later."""


class Stopped(click.ClickException):
    """The command ends here, with a sentence on standard error and an exit status."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        """Say `message` and end with `exit_code`."""
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance
