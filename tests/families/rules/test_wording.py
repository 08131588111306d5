"""Every failure as a plain sentence in Swedish, Norwegian and English."""

import re
import typing
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from coalition.families.evaluator.acts import Failure
from coalition.families.rule_sets import presets
from coalition.families.rule_sets.notation import Bounds, Conditions, Contribution, Join, Transfer
from coalition.families.rule_sets.vocabulary import Direction, Event, Measure, Subject
from coalition.families.words import why_en, why_nb, why_sv
from coalition.families.words.wording import Language, sentence

OSLO = ZoneInfo("Europe/Oslo")
FROM = datetime(2026, 12, 1, tzinfo=OSLO)
TODAY = date(2026, 11, 22)
NBSP = "\N{NO-BREAK SPACE}"


def said(failure: Failure, points: int | None = None) -> list[str]:
    """Return a failure in Swedish, Norwegian and English."""
    return [sentence(failure, language, points=points, today=TODAY) for language in Language]


def test_two_thousand_more_points_from_december() -> None:
    failure = Failure(
        rule="limits.sender.amount.calendar_month", limit=5000, used=4500, remaining=500,
        next_possible_at=FROM,
    )  # fmt: skip
    assert said(failure, points=2000) == [
        (
            f"Du kan skicka 2{NBSP}000 poäng till från och med 1 december: högst 5{NBSP}000 poäng "
            f"per kalendermånad, hittills 4{NBSP}500. Till dess är 500 poäng kvar."
        ),
        (
            f"Du kan sende 2{NBSP}000 poeng til fra og med 1. desember: høyst 5{NBSP}000 poeng per "
            f"kalendermåned, hittil 4{NBSP}500. Til da er 500 poeng igjen."
        ),
        (
            "You can send 2,000 more points from 1 December: at most 5,000 points in a calendar "
            "month, 4,500 so far. Until then 500 points are left."
        ),
    ]


def test_a_limit_without_points_asked_or_left() -> None:
    failure = Failure(
        rule="limits.redeem.member.amount.rolling_6_months", limit=1, used=1, remaining=0,
        next_possible_at=FROM,
    )  # fmt: skip
    assert said(failure)[2] == (
        "You can spend more points from 1 December: at most 1 point in 6 months, 1 so far."
    )
    assert said(failure, points=1)[2].startswith("You can spend 1 more point from")


def test_a_limit_that_waiting_does_not_help() -> None:
    failure = Failure(rule="limits.pair.amount.lifetime", limit=9, used=2, remaining=7)
    assert said(failure)[2] == "You can send this member at most 9 points in all; 2 so far."
    failure = Failure(rule="limits.sender.count.day", limit=2, used=2, remaining=0)
    assert said(failure)[0] == "Du kan skicka poäng högst 2 gånger om dagen; hittills 2."
    failure = Failure(rule="limits.receiver.counterparties.lifetime", limit=2, used=2, remaining=0)
    assert said(failure)[1] == "Høyst 2 forskjellige medlemmer til sammen; hittil 2."


def test_counts_and_other_members() -> None:
    failure = Failure(
        rule="limits.change.group.changes.rolling_6_months", limit=1, used=1, remaining=0,
        next_possible_at=FROM,
    )  # fmt: skip
    assert said(failure)[0] == (
        "Gruppen kan ändras igen från och med 1 december: högst 1 gång på 6 månader, hittills 1."
    )
    failure = Failure(
        rule="limits.sender.counterparties.calendar_year", limit=5, used=5, remaining=0,
        next_possible_at=datetime(2027, 1, 1, tzinfo=OSLO),
    )  # fmt: skip
    assert said(failure)[2] == (
        "You can send points to one more member from 1 January 2027: at most 5 different ones in a "
        "calendar year, 5 so far."
    )


def test_what_a_member_sends_is_what_a_sender_sends() -> None:
    failure = Failure(rule="limits.member.amount.day", limit=5, used=5, remaining=0)
    assert said(failure)[2] == "You can send at most 5 points in a day; 5 so far."


@pytest.mark.parametrize("rule", ["limits.family-cap", "limits.card.pair.amount.day"])
def test_a_limit_with_a_name_of_its_own_is_told_by_its_numbers(rule: str) -> None:
    failure = Failure(rule=rule, limit=7, used=6, remaining=1, next_possible_at=FROM)
    assert said(failure) == [
        "Här är högst 7 tillåtet; hittills 6. Det går från och med 1 december.",
        "Her er høyst 7 tillatt; hittil 6. Det går fra og med 1. desember.",
        "At most 7 are allowed here; 6 so far. Possible from 1 December.",
    ]


def test_a_member_is_told_its_own_numbers_and_not_those_of_others() -> None:
    own = Failure(rule="eligibility.min_account_days", limit=30, used=1, next_possible_at=FROM)
    assert said(own)[2] == (
        "You must have been a member for 30 days; so far it is 1 day. Possible from 1 December."
    )
    other = Failure(rule="eligibility.receiver.min_age", limit=18, used=17)
    assert said(other) == [
        "Mottagaren måste vara minst 18 år.",
        "Mottakeren må være minst 18 år.",
        "The receiver must be at least 18 years old.",
    ]


def test_an_instant_in_the_middle_of_a_day_is_told_with_its_time() -> None:
    failure = Failure(
        rule="join.freeze_hours", limit=48, used=1,
        next_possible_at=datetime(2026, 11, 24, 9, 5, tzinfo=OSLO),
    )  # fmt: skip
    assert said(failure) == [
        (
            "En ny medlem väntar 48 timmar innan gruppens poäng används. Det går från och med 24 "
            "november kl. 09.05."
        ),
        (
            "Et nytt medlem venter 48 timer før gruppens poeng brukes. Det går fra og med 24. "
            "november kl. 09.05."
        ),
        (
            "A new member waits 48 hours before the group's points are spent. Possible from 24 "
            "November at 09:05."
        ),
    ]


def test_days_are_told_with_their_year_where_nobody_says_which_it_is() -> None:
    failure = Failure(
        rule="control.blackouts", limit="2026-12-26", used="2026-12-24",
        next_possible_at=datetime(2026, 12, 27, tzinfo=OSLO),
    )  # fmt: skip
    assert sentence(failure, Language.EN) == (
        "No points move up to and including 26 December 2026. Possible from 27 December 2026."
    )


def test_relations_are_told_in_words() -> None:
    failure = Failure(rule="eligibility.relationships", limit="spouse, godchild_of", used=None)
    assert said(failure)[2] == (
        "It is possible only between relatives of these kinds: spouse, godchild of."
    )


def test_words_of_a_rule_are_told_as_they_are() -> None:
    failure = Failure(rule="eligibility.head.countries", limit="EE, FI", used="SE")
    assert said(failure)[2] == "The head must live in one of these countries: EE, FI."
    failure = Failure(rule="fees.0.brackets", limit=None, used=7)
    assert said(failure)[2] == "There is no price for more than –; it was 7."


def test_a_rule_that_nobody_knows_is_told_as_one() -> None:
    assert said(Failure(rule="weather", limit=None, used=None))[2] == "A rule does not allow it."


def notation() -> list[Failure]:
    """Return a failure of every name that the notation has."""
    conditions = set(typing.get_type_hints(Conditions)) - {
        "address_checked", "min_age_with_guardian",
    }  # fmt: skip
    parts = {
        "join": set(typing.get_type_hints(Join))
        - {"accept", "invitation_days", "child_without_invitation", "change_window_hours"},
        "contribution": set(typing.get_type_hints(Contribution)) - {"existing"},
        "transfer": (set(typing.get_type_hints(Transfer)) - {"spend_on"}),
        "group.spend.child": {"only_for_self", "revocable", "by_grant"},
    }
    named = {f"{part}.{field}" for part, fields in parts.items() for field in fields}
    bounded = ("members", "adults", "minors", "infants", "nominees")
    named |= {f"group.{one}.{end}" for one in bounded for end in typing.get_type_hints(Bounds)}
    named |= {
        f"eligibility.{of}{field}"
        for of in ("", "receiver.", "head.")
        for field in conditions - {"address"}
    }
    named |= {
        "mechanism", "group.groups_per_member", "group.minors_only_in_group", "group.separating",
        "fees.0.brackets", "exits.self_removal", "control.step_up_above", "balance",
    }  # fmt: skip
    worded = [
        ("control.blackouts", "2026-12-26"),
        ("group.spend.child.scope", "none"),
        ("group.spend.child.scope", "own"),
        *(("direction", way.value) for way in Direction if way is not Direction.ANY),
        *(
            (f"eligibility.{of}address", same)
            for of in ("", "receiver.", "head.")
            for same in ("same", "registered_same")
        ),
    ]
    return [
        *(Failure(rule=rule, limit=3, used=2, next_possible_at=FROM) for rule in sorted(named)),
        *(Failure(rule=rule, limit=word, used=None) for rule, word in worded),
    ]


@pytest.mark.parametrize("language", [*Language])
def test_every_rule_of_the_notation_has_its_sentence(language: Language) -> None:
    told = {}
    for failure in notation():
        text = sentence(failure, language, today=TODAY)
        assert re.fullmatch(r"[A-ZÅÄÖÆØ0-9][^{}_]*[^ .]\.", text), (failure.rule, text)
        told[failure.rule, failure.limit] = text
    unsaid = sentence(Failure(rule="weather", limit=None, used=None), language).removesuffix(".")
    assert not [rule for rule, text in told.items() if text.startswith(unsaid)]


@pytest.mark.parametrize("language", [*Language])
@pytest.mark.parametrize("then", [None, FROM])
def test_every_limit_of_the_presets_and_every_subject_has_its_sentence(
    language: Language, then: datetime | None
) -> None:
    names = {limit.name for name in presets.names() for limit in presets.rule_set(name).limits}
    names |= {f"redeem.{subject}.count.day" for subject in (Subject.MEMBER, Subject.GROUP)}
    names |= {f"{event}.member.count.day" for event in Event if event is not Event.TRANSFER}
    names |= {f"{event}.group.count.day" for event in Event if event is not Event.TRANSFER}
    names |= {
        f"{subject}.{measure}.day"
        for subject in (Subject.SENDER, Subject.RECEIVER)
        for measure in (Measure.AMOUNT, Measure.COUNT, Measure.COUNTERPARTIES)
    }
    unsaid = sentence(Failure(rule="limits.x", limit=3, used=2), language)
    for name in sorted(names):
        failure = Failure(rule=f"limits.{name}", limit=3, used=2, next_possible_at=then)
        assert not sentence(failure, language).startswith(unsaid[:12]), name


def test_the_three_languages_say_the_same_things() -> None:
    for name in ("RULES", "OWN", "AMOUNTS", "COUNTS", "OTHERS", "FRAMES", "NOUNS", "WHO", "WHOSE"):
        keys = {frozenset(getattr(words, name)) for words in (why_en, why_nb, why_sv)}
        assert len(keys) == 1, name
    places = re.compile(r"\{[^}]*\}")
    for table in ("RULES", "OWN", "FRAMES"):
        for key, text in getattr(why_en, table).items():
            for other in (why_nb, why_sv):
                found = sorted(places.findall(getattr(other, table)[key]))
                assert found == sorted(places.findall(text)), key
    assert len(why_en.MONTHS) == len(why_nb.MONTHS) == len(why_sv.MONTHS) == 12


def test_a_failure_can_be_told_as_it_was_written() -> None:
    failure = Failure(rule="balance", limit=150, used=1000, next_possible_at=None)
    again = msgspec.json.decode(msgspec.json.encode(failure), type=Failure)
    assert said(again) == said(failure)
    assert said(failure)[2] == "150 points can be spent, and 1,000 are needed."
