"""How cards, addresses, phone numbers and names are written alike, and which are refused. Pure.

Each `normal_...` gives the form under which a value is compared; applied again it changes nothing.
"""

import re
import unicodedata
from datetime import date

import idna

from coalition.members.payment_cards import holds_payment_card
from coalition.members.refusals import (
    InvalidAddress,
    InvalidBirthDate,
    InvalidCard,
    InvalidEmail,
    InvalidField,
    InvalidName,
    InvalidPhone,
    PaymentCardInText,
)

LONGEST_EMAIL_BYTES = 254
LONGEST_NAME = 100
LONGEST_ADDRESS = 200
EARLIEST_BIRTH_YEAR = 1900

_CARD_SEPARATORS = str.maketrans("", "", " -")
_PHONE_SEPARATORS = str.maketrans("", "", " -.()/\u2010\u2013")
_ZERO_WIDTH_JOINERS = "\u200c\u200d"  # part of words in Persian and Indic scripts

_ATOM = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+")
_PLAIN_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def normal_card(text: str) -> str:
    """Return a loyalty card without spaces and hyphens, in capitals: 4 to 32 of A-Z and 0-9."""
    card = text if text.isalnum() else text.translate(_CARD_SEPARATORS)
    if not (4 <= len(card) <= 32 and card.isascii() and card.isalnum()):
        raise InvalidCard(
            "A card is 4 to 32 letters A-Z or digits; spaces and hyphens do not count"
        )
    return card.upper()


def normal_email(text: str) -> str:
    """Return an address as it is compared: NFKC, case folded, the domain by IDNA 2008 (UTS 46).

    The check is that of RFC 5321 and 6531 for addresses that people have: no quoted local part, no
    address literal, a domain of at least two labels, at most 254 bytes (RFC 3696 erratum 1690).
    """
    stripped = text.strip(" ")
    if len(stripped) > LONGEST_EMAIL_BYTES:
        raise InvalidEmail("An e-mail address has at most 254 bytes")
    local, at_sign, domain = unicodedata.normalize("NFKC", stripped).partition("@")
    local = _folded(local)  # the domain is not folded here: faß.example is not fass.example
    if not at_sign or "@" in domain:
        raise InvalidEmail("An e-mail address has one @, as in name@domain.example")
    atoms = local.split(".")
    if len(local.encode(errors="replace")) > 64 or not all(_is_atom(atom) for atom in atoms):
        raise InvalidEmail(
            "Before its @ an e-mail address has at most 64 letters, digits or !#$%&'*+/=?^_`{|}~-, "
            "and single dots between them"
        )
    email = f"{local}@{_normal_domain(domain)}"
    if len(email.encode()) > LONGEST_EMAIL_BYTES:
        raise InvalidEmail("An e-mail address has at most 254 bytes")
    return email


def normal_phone(text: str) -> str:
    """Return a phone number in E.164 (ITU-T): + and 8 to 15 digits, the first of them not 0."""
    if "(0)" in text:
        raise InvalidPhone("Leave the (0) out: +46 70 123 45 67, not +46 (0)70 123 45 67")
    phone = unicodedata.normalize("NFKC", text).translate(_PHONE_SEPARATORS)
    digits = phone.removeprefix("+")
    if not phone.startswith("+") and digits.isascii() and digits.isdigit():
        raise InvalidPhone(
            "A phone number begins with + and the country's code, as in +46701234567; a national "
            "number or one with 00 is not taken"
        )
    is_number = digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15
    if not is_number or digits[0] == "0" or len(phone) != len(digits) + 1:
        raise InvalidPhone("A phone number is + and 8 to 15 digits, as in +46701234567")
    return phone


def normal_name(text: str, *, field: str) -> str:
    """Return a name in NFC with single spaces, 1 to 100 printable characters."""
    return _line_of_text(text, InvalidName, field=field, most=LONGEST_NAME, a_text="A name")


def normal_address(text: str) -> str:
    """Return an address in NFC with single spaces, 1 to 200 printable characters."""
    return _line_of_text(
        text, InvalidAddress, field="address", most=LONGEST_ADDRESS, a_text="An address"
    )


def folded(text: str) -> str:
    """Return how a name or an address is compared: without case, marks of punctuation and spaces.

    So "Storgata 1, Oslo" is "storgata 1 oslo"; whoever writes it otherwise is somebody else.
    """
    return " ".join("".join(c if c.isalnum() else " " for c in _folded(text)).split())


def _line_of_text(
    text: str, refusal: type[InvalidField], *, field: str, most: int, a_text: str
) -> str:
    composed = unicodedata.normalize("NFC", text).replace("\u00a0", " ")
    if not all(mark.isprintable() or mark in _ZERO_WIDTH_JOINERS for mark in composed):
        raise refusal(f"{a_text} has printable characters only, no control characters", field=field)
    line = " ".join(composed.split())
    if not 1 <= len(line) <= most:
        raise refusal(
            f"{a_text} has 1 to {most} characters; leave it out if there is none", field=field
        )
    check_free_text(line, field=field, a_text=a_text)
    return line


def check_free_text(text: str, *, field: str, a_text: str = "A free text") -> None:
    """Refuse the number of a payment card in what somebody wrote. Raises `PaymentCardInText`."""
    if holds_payment_card(unicodedata.normalize("NFKC", text)):
        raise PaymentCardInText(
            f"A payment card number has no place in {a_text.lower()}", field=field
        )


def check_birth_date(born: date, *, today: date) -> None:
    """Refuse a date of birth before 1900 or after `today`."""
    if born.year < EARLIEST_BIRTH_YEAR or born > today:
        raise InvalidBirthDate("A date of birth lies between 1900-01-01 and today")


def _folded(text: str) -> str:
    """Return `text` as compatibility caseless matching compares it (Unicode 3.13, D146)."""
    folded = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())


def _is_atom(atom: str) -> bool:
    return bool(_ATOM.fullmatch(atom)) and atom.isprintable()


def _normal_domain(domain: str) -> str:
    normal = domain.lower()
    if not all(_is_plain(label) for label in normal.split(".")):
        try:
            normal = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
        except UnicodeError as error:
            raise InvalidEmail("The part after the @ is not a domain name") from error
    *parents, last = normal.split(".")
    if not parents or not last or last.isdigit() or len(normal) > 253:
        raise InvalidEmail("The domain of an e-mail address ends as in name@domain.example")
    return normal


def _is_plain(label: str) -> bool:
    return bool(_PLAIN_LABEL.fullmatch(label)) and not label.startswith("xn--")
