"""What enrolment and look-up refuse; no sentence here repeats what was sent."""

from typing import ClassVar

from coalition.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class UnknownMember(NotFound):
    """There is no such member."""

    code, title = "member_not_found", "Member not found"


class UnknownErasure(NotFound):
    """Nobody has asked for this member's erasure; ask for it first."""

    code, title = "erasure_not_found", "Erasure not found"


class ErasureUnderWay(Conflict):
    """The person has asked to be forgotten; wait until the erasure is done."""

    code, title = "erasure_under_way", "Erasure under way"


class MemberIsClosed(Conflict):
    """The member is closed, which is final; enrol the person anew."""

    code, title = "member_closed", "Member closed"


class PointsRemain(Conflict):
    """Points are left; spend them first, or close the membership with `--forfeit-points`."""

    code, title = "points_remain", "Points remain"


class DebtRemains(Conflict):
    """The member owes points; have them paid, or close with `--write-off-debt`."""

    code, title = "debt_remains", "Debt remains"


class TooManyCards(Conflict):
    """The member holds as many cards as one may; replace one instead."""

    code, title = "too_many_cards", "Too many cards"


class InvalidStanding(Invalid):
    """A standing is 1 to 60 printable characters, has a source, and ends after it begins."""

    code, title = "invalid_standing", "Invalid standing"


class StandingNotHeld(Conflict):
    """The member is not this now and will not be later; look at what it is, and end that."""

    code, title = "standing_not_held", "Standing not held"


class InvalidConsent(Invalid):
    """A consent was given in the past, and sharing names the one partner it is with."""

    code, title = "invalid_consent", "Invalid consent"


class RelationNeeded(Forbidden):
    """You do not know this member yet; enrol the person, or give points for a purchase, first."""

    code, title = "relation_needed", "Relation needed"


class CardNotHeld(Conflict):
    """The card to replace is not a card of this member."""

    code, title = "card_not_held", "Card not held"


class ContactTaken(Conflict):
    """This card, e-mail address or phone number belongs to another member."""

    code, title = "contact_taken", "Contact taken"
    constraint = "a_contact_belongs_to_one_member"


class CardTaken(ContactTaken):
    """This card belongs to a member already; look the member up by it, or hand out another card."""

    code, title = "card_taken", "Card taken"


class EmailTaken(ContactTaken):
    """This e-mail address belongs to a member already; look the member up by it."""

    code, title = "email_taken", "E-mail taken"


class PhoneTaken(ContactTaken):
    """This phone number belongs to a member already; look the member up by it."""

    code, title = "phone_taken", "Phone number taken"


class NoContact(Invalid):
    """Send at least one of card, email and phone; without any the member could never be found."""

    code, title = "contact_needed", "Contact needed"


class InvalidField(Invalid):
    """A field is not valid; `errors` holds its JSON pointer (RFC 6901) and what would be right."""

    field: ClassVar[str]

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        """Refuse `field` (the class's own when not given) with `detail`."""
        self.entries = [{"pointer": "/" + (field or self.field), "detail": detail}]
        super().__init__(detail, errors=self.entries)

    def of_parameter(self) -> "InvalidField":
        """Return the same refusal, naming a parameter of the query in place of a body's field."""
        refusal = type(self)(self.detail)
        refusal.facts = {"errors": [{"parameter": self.field, "detail": self.detail}]}
        return refusal


class InvalidCard(InvalidField):
    """A card is 4 to 32 letters (A-Z) or digits."""

    code, title, field = "invalid_card", "Invalid card", "card"


class InvalidEmail(InvalidField):
    """An e-mail address has the form name@domain.example."""

    code, title, field = "invalid_email", "Invalid e-mail", "email"


class InvalidPhone(InvalidField):
    """A phone number is + and 8 to 15 digits (E.164)."""

    code, title, field = "invalid_phone", "Invalid phone number", "phone"


class InvalidName(InvalidField):
    """A name has 1 to 100 printable characters."""

    code, title, field = "invalid_name", "Invalid name", "first_name"


class InvalidAddress(InvalidField):
    """An address is one line of 1 to 200 printable characters."""

    code, title, field = "invalid_address", "Invalid address", "address"


class NoAddress(Conflict):
    """No address of the member is known that a register could have; give one first."""

    code, title = "no_address", "No address"


class PaymentCardInText(InvalidField):
    """Payment card numbers are not taken in free text (PCI DSS requirement 3)."""

    code, title, field = "payment_card_refused", "Payment card number refused", "first_name"


class InvalidBirthDate(InvalidField):
    """A date of birth lies between 1900 and today."""

    code, title, field = "invalid_born", "Invalid date of birth", "born"
