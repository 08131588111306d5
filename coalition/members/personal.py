"""What is known of a person: as sent at the till, and as sealed or shown to a partner."""

import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta

from coalition.kernel.errors import Invalid
from coalition.members import rules
from coalition.members.consents import GivenList
from coalition.members.contacts import ContactKind
from coalition.members.refusals import InvalidBirthDate, InvalidField, NoContact

EmailText = Annotated[
    str,
    Meta(max_length=254, description="An e-mail address", examples=["asa@exempel.example"]),
]
PhoneText = Annotated[
    str,
    Meta(
        max_length=40,
        description="A phone number in E.164: +, the country's code and the number",
        examples=["+46701234567"],
    ),
]
CardText = Annotated[
    str,
    Meta(
        max_length=64,
        description="A loyalty card: 4 to 32 letters A-Z or digits, spaces and hyphens left out",
        examples=["97520001"],
    ),
]
NameText = Annotated[
    str, Meta(max_length=rules.LONGEST_NAME, description="A name", examples=["Åsa"])
]
AddressText = Annotated[
    str,
    Meta(
        max_length=rules.LONGEST_ADDRESS,
        description="Where somebody lives, in one line",
        examples=["Storgata 1, 0155 Oslo"],
    ),
]
CountryText = Annotated[
    str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166 alpha-2", examples=["NO"])
]
BirthDate = Annotated[date, Meta(description="A date of birth from 1900 on, not after today")]


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish to become a member, with the least data: one of card, email and phone is enough."""

    email: EmailText | None = None
    phone: PhoneText | None = None
    card: CardText | None = None
    first_name: NameText | None = None
    last_name: NameText | None = None
    born: BirthDate | None = None
    address: AddressText | None = None
    country: CountryText | None = None
    consents: GivenList = ()

    def __repr__(self) -> str:
        """Show nothing: logs and error reports hold no personal data."""
        return "Enrolment(...)"


class PersonalData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that is kept of a person; the JSON of this is what is sealed.

    E-mail addresses are kept as people write them; cards and phone numbers in their normal form.
    The other addresses and numbers are those of members who were merged into this one.
    """

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    born: date | None = None
    address: str | None = None
    address_registered: bool = False
    """Whether the address was found in a register of the population."""
    country: str | None = None
    cards: tuple[str, ...] = ()
    other_emails: tuple[str, ...] = ()
    other_phones: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show nothing: logs and error reports hold no personal data."""
        return "PersonalData(...)"

    def contacts(self) -> list[tuple[ContactKind, str]]:
        """Return everything this person can be found by."""
        emails = (self.email, *self.other_emails)
        phones = (self.phone, *self.other_phones)
        return [
            *((ContactKind.CARD, card) for card in self.cards),
            *((ContactKind.EMAIL, email) for email in emails if email is not None),
            *((ContactKind.PHONE, phone) for phone in phones if phone is not None),
        ]


def checked(enrolment: Enrolment, *, today: date) -> PersonalData:
    """Return what `enrolment` says, each value in the form in which it is kept.

    Raises `NoContact`, the `InvalidField` of the one field that is wrong, or `Invalid` with
    `errors` when there are several.
    """
    if enrolment.card is None and enrolment.email is None and enrolment.phone is None:
        raise NoContact
    errors: list[InvalidField] = []
    kept: dict[str, str] = {}
    for field, keep in _KEEP.items():
        value: str | None = getattr(enrolment, field)
        if value is not None:
            try:
                kept[field] = keep(value)
            except InvalidField as error:
                errors.append(error)
    if enrolment.born is not None:
        try:
            rules.check_birth_date(enrolment.born, today=today)
        except InvalidBirthDate as error:
            errors.append(error)
    if errors:
        raise _one_refusal(errors)
    return PersonalData(
        email=kept.get("email"),
        phone=kept.get("phone"),
        first_name=kept.get("first_name"),
        last_name=kept.get("last_name"),
        born=enrolment.born,
        address=kept.get("address"),
        country=enrolment.country,
        cards=(kept["card"],) if "card" in kept else (),
    )


def united(survivor: PersonalData, other: PersonalData) -> PersonalData:
    """Return what is kept of one person who was two: the survivor's data, its gaps filled.

    Every contact is kept. An address or number that the survivor has another of becomes one of its
    others, so that the person is found by whatever they remember.
    """
    email, other_emails = _all_of(
        (survivor.email, *survivor.other_emails, other.email, *other.other_emails),
        rules.normal_email,
    )
    phone, other_phones = _all_of(
        (survivor.phone, *survivor.other_phones, other.phone, *other.other_phones),
        rules.normal_phone,
    )
    home = survivor if survivor.address is not None else other
    return PersonalData(
        email=email,
        phone=phone,
        first_name=survivor.first_name or other.first_name,
        last_name=survivor.last_name or other.last_name,
        born=survivor.born or other.born,
        address=home.address,
        address_registered=home.address_registered,
        country=survivor.country or other.country,
        cards=tuple(dict.fromkeys((*survivor.cards, *other.cards))),
        other_emails=other_emails,
        other_phones=other_phones,
    )


def _all_of(
    values: Iterable[str | None], normal: Callable[[str], str]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the first of `values` and the others, each once in its normal form."""
    by_normal: dict[str, str] = {}
    for value in values:
        if value is not None:
            by_normal.setdefault(normal(value), value)
    found = tuple(by_normal.values())
    return (found[0] if found else None), found[1:]


def _kept_email(text: str) -> str:
    rules.normal_email(text)
    return unicodedata.normalize("NFC", text.strip(" "))


_KEEP: dict[str, Callable[[str], str]] = {
    "card": rules.normal_card,
    "email": _kept_email,
    "phone": rules.normal_phone,
    "first_name": partial(rules.normal_name, field="first_name"),
    "last_name": partial(rules.normal_name, field="last_name"),
    "address": rules.normal_address,
}


def _one_refusal(errors: list[InvalidField]) -> Invalid:
    if len(errors) == 1:
        return errors[0]
    return Invalid(
        f"{len(errors)} fields are not valid",
        errors=[entry for error in errors for entry in error.entries],
    )
