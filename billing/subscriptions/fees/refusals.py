"""What is refused of fees, and what would be right."""

from coalition.kernel.errors import NotFound


class UnknownFee(NotFound):
    """No fee of yours has this id, which is that of the transfer or act that waits."""

    code, title = "fee_not_found", "Fee not found"
