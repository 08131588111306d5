"""What is refused of a batch as a whole; a line that cannot be done only gets its own answer."""

from coalition.kernel.errors import Forbidden, Invalid, Malformed, NotFound, TooLarge


class BatchTruncated(Malformed):
    """The upload ends before it is whole; nothing of it was kept, so send it again."""

    code, title = "batch_truncated", "Batch truncated"


class BatchUnreadable(Malformed):
    """From here on the upload cannot be told apart into lines; nothing of it was kept."""

    code, title = "batch_unreadable", "Batch unreadable"


class BatchEmpty(Invalid):
    """A batch has at least one line."""

    code, title = "batch_empty", "Batch empty"


class BatchHeaderInvalid(Invalid):
    """The first row of a CSV file names its columns, each of them known and named once."""

    code, title = "batch_header_invalid", "Batch header invalid"


class TooManyLines(TooLarge):
    """A batch has at most a million lines; send the rest in another."""

    code, title = "too_many_lines", "Too many lines"


class LineTooLong(TooLarge):
    """A line has at most 32768 bytes."""

    code, title = "line_too_long", "Line too long"


class SenderRevoked(Forbidden):
    """The client that sent the batch was revoked before this line was posted."""

    code, title = "sender_revoked", "Sender revoked"


class UnknownBatch(NotFound):
    """There is no such batch, or it is not yours."""

    code, title = "batch_not_found", "Batch not found"
