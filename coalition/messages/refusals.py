"""What is refused about messages."""

from coalition.kernel.errors import NotFound


class UnknownMessage(NotFound):
    """You have no such message; list yours at `/v1/me/messages`."""

    code, title = "message_not_found", "Message not found"


class UnknownUnsubscription(NotFound):
    """The address is not one that we have sent; open the one of the last message."""

    code, title = "unsubscription_not_found", "Address not known"
