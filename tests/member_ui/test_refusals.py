"""What services refuse members is said in every language that the pages speak."""

from collections.abc import Iterator

import pytest

from billing.gateway.refusals import StripeRefused, StripeUnavailable
from billing.plans.refusals import UnknownPlan, UnknownPrice
from billing.subscriptions import refusals
from billing.subscriptions.campaigns.refusals import NothingToAgreeTo
from billing.subscriptions.fees.refusals import UnknownFee
from coalition.access.refusals import (
    LoginTaken,
    MemberFrozen,
    MembershipEnded,
    SignInFailed,
    TooManyAttempts,
    WeakPassword,
)
from coalition.families.kin.transfer_refusals import FeeNotDue
from coalition.kernel.errors import Forbidden, Malformed, Refused, TooLarge, Unavailable
from coalition.members.refusals import EmailTaken, InvalidEmail, InvalidName, PaymentCardInText
from coalition.oversight.refusals import ReasonNeeded
from member_ui.visit import NotFromHere
from member_ui.words import WORDS
from pages.forms import ForeignForm

ELSEWHERE = (
    *(StripeRefused, StripeUnavailable, UnknownPlan, UnknownPrice, NothingToAgreeTo),
    *(UnknownFee, FeeNotDue, ReasonNeeded),
    *(LoginTaken, MemberFrozen, MembershipEnded, SignInFailed, TooManyAttempts, WeakPassword),
    *(EmailTaken, InvalidEmail, InvalidName, PaymentCardInText),
    *(ForeignForm, NotFromHere, Malformed, TooLarge, Unavailable),
)
NOT_ON_PAGES = {*(refusals.NothingToTakeBack, refusals.InvalidPath, refusals.NothingUnexplained)}
"""Staff take gifts back and explain what is drifted, and pages say no path that is none."""


def met() -> Iterator[type[Refused]]:
    own = vars(refusals).values()
    for kind in own:
        if (
            isinstance(kind, type)
            and issubclass(kind, Refused)
            and kind.__module__ == (refusals.__name__)
        ):
            yield kind
    yield from ELSEWHERE


@pytest.mark.parametrize(
    "kind", [one for one in met() if one not in NOT_ON_PAGES], ids=lambda kind: kind.__name__
)
def test_a_refusal_is_said_in_every_language(kind: type[Refused]) -> None:
    for language, words in WORDS.items():
        assert f"refusal.{kind.code}" in words, (language, kind.code)


def test_what_nobody_foresaw_is_english_in_english_and_a_plain_no_elsewhere() -> None:
    assert f"refusal.{Forbidden.code}" not in WORDS["sv"]
    assert {words["refusal"] for words in WORDS.values()} == {
        "That is not possible as things stand.",
        "Det går inte som läget är.",
        "Det går ikke slik det står nå.",
    }
