"""What a partner is refused of its statements."""

from coalition.kernel.errors import Invalid, NotFound


class UnknownLine(NotFound):
    """The statement has no line of this number; they count from 1, as the statement shows them."""

    code, title = "statement_line_not_found", "Statement line not found"


class CursorOfAnotherLine(Invalid):
    """The cursor belongs to another line, or the line has moved: begin again without a cursor."""

    code, title = "cursor_of_another_line", "Cursor of another line"
