"""Forms coming in: small, urlencoded, each field once, and sent from a page of our own."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from coalition.kernel.errors import Forbidden, Malformed, TooLarge

MEDIA_TYPE = "application/x-www-form-urlencoded"
MOST_BYTES = 16_384
MOST_FIELDS = 40


class ForeignForm(Forbidden):
    """The form was not sent from a page of ours; open the page again and send it from there."""

    code, title = "foreign_form", "Foreign form"


def read(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form. Raises `Malformed` for what is none, and `TooLarge`."""
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Malformed(f"A form is sent as {MEDIA_TYPE}")
    if len(body) > MOST_BYTES:
        raise TooLarge(f"A form has at most {MOST_BYTES} bytes")
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise Malformed("The form cannot be read") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("A form has each field once")
    if any("\0" in value for value in fields.values()):
        raise Malformed("A form holds no NUL")
    return {name: value.strip() for name, value in fields.items()}


def check_origin(headers: Mapping[str, str], own_address: str) -> None:
    """Raise `ForeignForm` unless a browser says that the form was sent from here.

    Browsers name the sender's origin with every POST (Fetch, "append a request `Origin` header").
    They say `Sec-Fetch-Site` over TLS and at home alone, and then it is what counts: people come to
    a service by more names than the one it knows itself by.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    own = urlsplit(own_address)
    if site is not None and site not in {"same-origin", "none"}:
        raise ForeignForm
    if origin is not None and origin != f"{own.scheme}://{own.netloc}" and site != "same-origin":
        raise ForeignForm
    if site is None and origin is None:
        raise ForeignForm
