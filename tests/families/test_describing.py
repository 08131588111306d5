"""Rule sets in plain Swedish, Norwegian and English: each rule has its sentence in all three."""

import re
from collections.abc import Iterator

import pytest

from coalition.families.rule_sets import presets
from coalition.families.rule_sets.checking import complaints
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.words import plain_en, plain_nb, plain_sv
from coalition.families.words.describing import SPEECHES, described
from coalition.families.words.wording import Language
from tests.families.registered import varied, written

SPACE = "\N{NO-BREAK SPACE}"

EVERYTHING = written(
    "head_pull",
    direction="within_group",
    timezone="Europe/Oslo",
    group={
        "members": {"min": 2, "max": 6},
        "adults": {"min": 1},
        "minors": {"max": 4},
        "infant_below": 2,
        "nominees": {"max": 3},
        "groups_per_member": 1,
        "spend": {
            "head": {"scope": "pool"},
            "child": {"scope": "none"},
            "minor": {"scope": "own", "only_for_self": True, "by_grant": True, "revocable": True},
        },
        "sees": "own",
        "minors_only_in_group": True,
    },
    eligibility={
        "relationships": ["child", "god_child"],
        "evidence": "required",
        "address": "registered_same",
        "address_checked": "always",
        "countries": ["SE", "NO"],
        "min_age": 18,
        "min_age_with_guardian": 13,
        "max_age": 90,
        "tiers": ["gold"],
        "plans": ["plus"],
        "segments": ["staff"],
        "identity_verified": True,
        "good_standing": True,
        "min_account_days": {"active": 30, "idle": 90},
        "min_active_months": 3,
        "min_earned": 1,
        "min_balance": 1000,
        "receiver": {"name_match": True},
    },
    join={
        "accept": "both",
        "child_without_invitation": True,
        "lock_in_days": 30,
        "freeze_hours": 48,
        "cooldown_days": 183,
        "slot_cooldown_days": 183,
        "change_window_hours": 24,
    },
    transfer={
        "min": 1000,
        "max": 60_000,
        "step": 500,
        "purpose": "named_reward",
        "may_move_on": False,
        "spend_on": ["issuer", "2"],
        "lots": {"issuers": ["1"], "classes": ["ordinary", "bound"], "max_age_months": 12},
    },
    limits=[
        {"subject": "pair", "measure": "amount", "window": "lifetime", "max": 9},
        {"subject": "sender", "measure": "counterparties", "window": "rolling 2 months", "max": 3},
        {"subject": "receiver", "measure": "count", "window": "day", "max": 1,
         "undone_counts": True},
        {"subject": "group", "measure": "changes", "window": "rolling 6 months", "max": 1,
         "on": "change", "within_hours": 24},
        {"subject": "member", "measure": "groups_joined", "window": "membership_year", "max": 2,
         "on": "join"},
        {"subject": "member", "measure": "amount", "window": "calendar_month", "max": 5000,
         "on": "redeem"},
    ],
    fees=[
        {"kind": "flat", "money": {"amount_minor": 5000, "currency": "GBP"}, "points": 3000,
         "only": {"channels": ["phone"]}, "waived": [{"tiers": ["gold"], "plans": ["plus", "pro"]},
                                                     {"segments": ["staff"]}]},
        {"kind": "per_block", "block": 1000, "money": {"amount_minor": 1500, "currency": "USD"},
         "min": 1500, "max": 9000},
        {"kind": "percent", "percent": "2.5", "min": 10},
        {"kind": "bracket", "brackets": [{"up_to": 5000, "points": 0}, {"points": 100}]},
    ],
    debit={"order": "own_first", "protected_last": True},
    expiry={
        "treatment": "reset", "months": 24, "earned_later": "carried",
        "suspended_by_own_tier": True, "suspended_by_head_tier": True,
        "counts_as_activity": "both",
    },
    exits={"leaving": "split", "death": "to_heir", "at_age": 21, "self_removal": "head_only"},
    control={
        "approvals": [{"by": "guardian"}, {"by": "staff", "above": 100_000}],
        "step_up_above": 50_000,
        "hold": {"new_receiver_hours": 24, "new_device_hours": 48},
        "undo_hours": 2,
        "blackouts": [{"first": "2026-12-24", "last": "2026-12-26"}],
    },
    changes=[
        {"when": {"plans": ["plus"]}, "set": {"transfer.max": 90_000, "transfer.step": None}}
    ],
    notes="As agreed.",
)  # fmt: skip


def sentences(rule_set: RuleSet, language: Language) -> Iterator[str]:
    for part in described(rule_set, language):
        yield from part.sentences


@pytest.mark.parametrize("other", [plain_sv, plain_nb])
def test_the_three_languages_say_the_same_with_the_same_parts(other: object) -> None:
    for name in ("WORDS", "RELATIONS"):
        english = getattr(plain_en, name)
        own = getattr(other, name)
        assert list(english) == list(own)
        for key, text in english.items():
            assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", own[key])), key


def test_rules_that_use_every_key_are_right_and_are_said_whole_in_each_language() -> None:
    assert complaints(EVERYTHING) == []
    told = {language: list(sentences(EVERYTHING, language)) for language in Language}
    assert len({len(texts) for texts in told.values()}) == 1
    assert len(told[Language.EN]) == 94
    for texts in told.values():
        assert all(text[0].isupper() or text[0].isdigit() for text in texts)
        assert not [text for text in texts if "{" in text]


@pytest.mark.parametrize("name", presets.names())
def test_each_preset_is_said_in_each_language(name: str) -> None:
    document = presets.document(name)
    told = [list(sentences(document, language)) for language in Language]
    assert len({len(texts) for texts in told}) == 1
    for language, texts in zip(Language, told, strict=True):
        numbers = [one.max for one in document.limits]
        assert all(SPEECHES[language].number(most) in " ".join(texts) for most in numbers)


def test_the_rules_of_a_scheme_read_as_a_person_would_say_them() -> None:
    rules = varied("avios_transfer", changes=[
        {"when": {"plans": ["plus"]}, "set": {"transfer.max": 90_000}}
    ])  # fmt: skip
    english = {part.heading: part.sentences for part in described(rules, Language.EN)}
    assert english["How it works"] == ("Members send points to one another.",)
    assert english["What may be sent"] == (
        "Points at once: at least 1,000.",
        "Points at once: at most 60,000.",
    )
    assert english["Limits"] == ("Points per sender in a calendar year: at most 200,000.",)
    assert english["Fees"] == (
        "A transfer costs 50.00 GBP; the sender pays.",
        "Free with tier gold, platinum or diamond.",
    )
    assert english["Exceptions"] == ("With plan plus: transfer.max is 90,000.",)
    assert "Who may" not in english
    swedish = {part.heading: part.sentences for part in described(rules, Language.SV)}
    assert swedish["Gränser"] == (f"Poäng per avsändare per kalenderår: högst 200{SPACE}000.",)
    assert swedish["Avgifter"][0] == "En överföring kostar 50,00 GBP; avsändaren betalar."
    norwegian = {part.heading: part.sentences for part in described(rules, Language.NB)}
    assert norwegian["Gebyrer"][1] == "Gratis med nivået gold, platinum eller diamond."


def test_a_relation_that_no_language_knows_is_said_by_its_own_word() -> None:
    assert "The receiver is to the sender: child or god child." in list(
        sentences(EVERYTHING, Language.EN)
    )
