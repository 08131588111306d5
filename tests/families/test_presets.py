"""The shipped presets: each published scheme with its own numbers."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from coalition.families.rule_sets import presets
from coalition.families.rule_sets.checking import complaints
from coalition.families.rule_sets.documents import brief
from coalition.families.rule_sets.notation import RuleSet
from server import documents
from tests.families.registered import written

YEAR, MONTH = "calendar_year", "calendar_month"
PLAIN = written()
GOLD = [{"tiers": ["gold", "platinum", "diamond"]}]
PHONE = {"only": {"channels": ["phone"]}, "waived": [{"channels": ["online"]}]}
COUSINS = [
    "grandparent", "grandchild", "in_law", "uncle_aunt", "nephew_niece", "first_cousin",
]  # fmt: skip
EU = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]  # fmt: skip


def price(amount_minor: int, currency: str) -> dict[str, object]:
    return {"amount_minor": amount_minor, "currency": currency}


def limit(subject: str, measure: str, window: str, most: int) -> dict[str, object]:
    return {"subject": subject, "measure": measure, "window": window, "max": most}


FACTS: dict[str, dict[str, object]] = {
    "hilton": {
        "mechanism": "p2p",
        "group.members.max": 11,
        "group.groups_per_member": None,
        "eligibility.min_account_days": {"active": 30, "idle": 90},
        "eligibility.min_balance": 1000,
        "transfer": {"min": 1000, "max": 500_000, "step": 1000},
        "limits": [
            limit("sender", "amount", YEAR, 500_000),
            limit("receiver", "amount", YEAR, 2_000_000),
            limit("sender", "count", YEAR, 6),
        ],
        "fees": [],
        "expiry.treatment": "receiver_policy",
        "join.accept": "invitee",
    },
    "marriott": {
        "mechanism": "p2p",
        "eligibility.receiver.name_match": True,
        "eligibility.min_account_days": {"active": 30, "idle": 90},
        "eligibility.good_standing": True,
        "transfer": {"min": 1000, "step": 1000},
        "limits": [
            limit("sender", "amount", YEAR, 100_000),
            limit("receiver", "amount", YEAR, 500_000),
            limit("sender", "count", MONTH, 2),
            limit("sender", "count", YEAR, 6),
        ],
        "fees": [],
        "expiry.counts_as_activity": "none",
        "expiry.treatment": "receiver_policy",
    },
    "hyatt": {
        "mechanism": "p2p",
        "transfer": {"min": 1, "purpose": "named_reward"},
        "control.approvals": [{"by": "receiver"}],
        "eligibility.good_standing": True,
        "limits": [
            limit("sender", "count", "rolling 30 days", 1),
            limit("receiver", "count", "rolling 30 days", 1),
        ],
        "fees": [],
        "expiry.counts_as_activity": "both",
        "expiry.treatment": "receiver_policy",
    },
    "ba_household": {
        "mechanism": "pool_view",
        "group.members": {"min": 2, "max": 7},
        "group.groups_per_member": 1,
        "group.minors_only_in_group": True,
        "group.spend": {"adult": {"scope": "pool"}},
        "eligibility.head.min_age": 18,
        "join.change_window_hours": 24,
        "limits": [limit("group", "changes", "rolling 6 months", 1) | {"on": "change"}],
        "debit.order": "proportional",
        "expiry.treatment": "receiver_policy",
        "exits.leaving": "keep_own_share",
        "exits.self_removal": "any_time",
    },
    "avios_transfer": {
        "mechanism": "p2p",
        "transfer": {"min": 1000, "max": 60_000},
        "limits": [limit("sender", "amount", YEAR, 200_000)],
        "fees": [{"kind": "flat", "money": price(5000, "GBP"), "waived": GOLD}],
        "expiry.counts_as_activity": "both",
        "expiry.treatment": "receiver_policy",
    },
    "emirates": {
        "mechanism": "sweep_to_head",
        "group.members": {"min": 2, "max": 8},
        "group.groups_per_member": 1,
        "group.infants": {},
        "group.infant_below": 2,
        "group.spend": {"head": {"scope": "pool"}},
        "eligibility.relationships": [
            "spouse", "partner", "child", "step", "parent", "in_law", "sibling", "grandchild",
            "domestic_helper",
        ],
        "eligibility.evidence": "on_request",
        "eligibility.head.min_age": 18,
        "contribution.existing": "none",
        "contribution.future_percent": [25, 50, 75, 100],
        "join.invitation_days": 14,
        "join.child_without_invitation": True,
        "join.accept": "invitee",
        "exits.leaving": "stays_in_pool",
        "expiry.treatment": "carried",
        "expiry.suspended_by_head_tier": True,
    },
    "emirates_transfer": {
        "mechanism": "p2p",
        "transfer": {"min": 1000, "step": 500},
        "limits": [limit("sender", "amount", YEAR, 50_000)],
        "fees": [{"kind": "per_block", "block": 1000, "money": price(1500, "USD")}],
        "expiry.treatment": "receiver_policy",
    },
    "qatar": {
        "mechanism": "sweep_to_head",
        "group.members.max": 10,
        "group.groups_per_member": 1,
        "group.spend": {"head": {"scope": "pool"}},
        "contribution.existing": "none",
        "contribution.future_percent": [100],
        "eligibility.head.min_age": 12,
        "exits.leaving": "stays_with_head",
        "expiry.treatment": "head_policy",
    },
    "qatar_transfer": {
        "mechanism": "p2p",
        "transfer": {"min": 1000, "step": 1000, "may_move_on": False},
        "eligibility.min_earned": 1,
        "limits": [limit("sender", "amount", YEAR, 250_000)],
        "fees.0.kind": "bracket",
        "expiry.treatment": "receiver_policy",
    },
    "qatar_mylist": {
        "mechanism": "nominee_only",
        "group.members.max": 5,
        "group.nominees.max": 6,
        "join.lock_in_days": 180,
        "expiry.treatment": "carried",
    },
    "miles_and_more": {
        "mechanism": "pool_view",
        "group.members": {"min": 2, "max": 7},
        "group.adults.max": 2,
        "group.minors.max": 5,
        "group.infants.max": 0,
        "group.adult_from": 18,
        "group.groups_per_member": 1,
        "group.spend": {"adult": {"scope": "pool"}, "minor": {"scope": "own"}},
        "eligibility.head.min_age": 18,
        "eligibility.head.countries": EU,
        "eligibility.min_age": 2,
        "eligibility.countries": EU,
        "join.freeze_hours": 48,
        "join.cooldown_days": 183,
        "join.slot_cooldown_days": 183,
        "join.accept": "invitee",
        "debit.order": "earliest_expiry",
        "debit.protected_last": True,
        "exits.leaving": "keep_own_share",
        "expiry.treatment": "carried",
    },
    "qantas": {
        "mechanism": "p2p",
        "eligibility.relationships": [
            "spouse", "partner", "parent", "child", "step", "foster", "sibling", "half_sibling",
            *COUSINS,
        ],
        "eligibility.evidence": "on_request",
        "transfer": {"min": 1500},
        "limits": [limit("sender", "amount", "rolling 12 months", 600_000)],
        "fees": [{"kind": "flat", "money": price(3500, "AUD")} | PHONE],
        "expiry.counts_as_activity": "none",
        "expiry.treatment": "receiver_policy",
    },
    "velocity_transfer": {
        "mechanism": "p2p",
        "eligibility.relationships": [
            "spouse", "parent", "child", "sibling", *COUSINS, "adopted", "step", "foster",
        ],
        "transfer": {"min": 5000, "max": 125_000},
        "limits": [limit("sender", "count", "membership_year", 4)],
        "fees": [{"kind": "flat", "money": price(2000, "AUD")} | PHONE],
        "expiry.treatment": "receiver_policy",
    },
    "sas": {
        "mechanism": "pool_account",
        "group.members": {"min": 2, "max": 8},
        "group.groups_per_member": 1,
        "group.spend": {
            "head": {"scope": "pool"},
            "member": {"scope": "pool", "revocable": True},
        },
        "eligibility.head.min_age": 18,
        "join.lock_in_days": 183,
        "join.accept": "invitee",
        "contribution.existing": "all",
        "contribution.future_percent": [100],
        "debit.order": "oldest_earned",
        "expiry.treatment": "carried",
        "expiry.earned_later": "head_policy",
        "expiry.suspended_by_own_tier": True,
        "exits.leaving": "stays_in_pool",
    },
    "united": {
        "mechanism": "pool_account",
        "group.members": {"min": 2, "max": 5},
        "group.groups_per_member": 1,
        "group.spend": {
            "head": {"scope": "pool"},
            "member": {"scope": "pool", "revocable": True, "by_grant": True},
        },
        "eligibility.head.min_age": 18,
        "contribution.existing": "optional",
        "contribution.future_percent": [0],
        "contribution.manual": True,
        "transfer.spend_on": ["issuer"],
        "exits.leaving": "stays_in_pool",
        "expiry.treatment": "receiver_policy",
        "join.accept": "invitee",
    },
    "krisflyer_nominee": {
        "mechanism": "nominee_only",
        "group.nominees.max": 5,
        "join.lock_in_days": 183,
        "fees": [
            {
                "kind": "flat", "on": "change", "money": price(3000, "USD"), "points": 3000,
                "payer": "member", "waived": GOLD,
            }
        ],
        "expiry.treatment": "carried",
    },
    "etihad": {
        "mechanism": "pool_view",
        "group.members.max": 9,
        "group.groups_per_member": 1,
        "group.spend": {"head": {"scope": "pool"}, "member": {"scope": "own"}},
        "eligibility.head.min_age": 21,
        "join.lock_in_days": 30,
        "exits.leaving": "keep_own_share",
        "expiry.treatment": "receiver_policy",
    },
    "virgin_household": {
        "mechanism": "sweep_to_head",
        "group.members.max": 10,
        "group.groups_per_member": 1,
        "group.spend": {"head": {"scope": "pool"}},
        "eligibility.address": "same",
        "eligibility.head.min_age": 18,
        "join.lock_in_days": 365,
        "contribution.existing": "none",
        "contribution.future_percent": [100],
        "exits.leaving": "stays_with_head",
        "expiry.treatment": "head_policy",
    },
    "s_group": {
        "mechanism": "linked_wallet",
        "group.members.max": None,
        "contribution.future_percent": [100],
        "exits.leaving": "stays_with_head",
        "group.spend": {"head": {"scope": "pool"}, "member": {"scope": "none"}},
        "eligibility.min_age": 18,
        "join.accept": "invitee",
        "expiry.treatment": "carried",
    },
    "coop_norway": {
        "mechanism": "linked_wallet",
        "group.members.max": 10,
        "group.spend": {"head": {"scope": "pool"}, "member": {"scope": "none"}},
        "contribution.future_percent": [100],
        "exits.leaving": "stays_with_head",
        "eligibility.address": "registered_same",
        "eligibility.min_age": 16,
        "join.accept": "invitee",
        "expiry.treatment": "carried",
    },
    "nectar": {
        "mechanism": "linked_wallet",
        "group.members.max": None,
        "contribution.future_percent": [100],
        "exits.leaving": "stays_with_head",
        "group.spend": {"head": {"scope": "pool"}, "member": {"scope": "pool"}},
        "eligibility.min_age": 18,
        "eligibility.min_age_with_guardian": 0,
        "eligibility.countries": ["GB"],
        "fees": [{"kind": "flat", "on": "card", "money": price(100, "GBP"), "payer": "head"}],
        "expiry.treatment": "carried",
    },
    "flybuys_au": {
        "mechanism": "linked_wallet",
        "group.members.max": None,
        "contribution.future_percent": [100],
        "exits.leaving": "stays_with_head",
        "group.spend": {"head": {"scope": "pool"}, "member": {"scope": "pool"}},
        "group.sees": "everything",
        "eligibility.min_age": 16,
        "eligibility.countries": ["AU"],
        "join.accept": "invitee",
        "expiry.treatment": "carried",
    },
}  # fmt: skip
"""What each scheme publishes, by where its preset says it."""


def each_fact() -> Iterator[Any]:
    for name, facts in FACTS.items():
        for where, fact in facts.items():
            yield pytest.param(name, where, fact, id=f"{name} {where}")


def found(rule_set: RuleSet, where: str) -> Any:
    part: Any = rule_set
    for key in where.split("."):
        part = part[int(key)] if isinstance(part, tuple) else getattr(part, key)
    return msgspec.json.decode(msgspec.json.encode(brief(part)))


def test_every_scheme_that_is_known_is_a_preset() -> None:
    assert set(presets.names()) == set(FACTS)
    assert list(presets.names()) == sorted(presets.names())


@pytest.mark.parametrize(("name", "where", "fact"), list(each_fact()))
def test_a_preset_says_what_its_scheme_publishes(name: str, where: str, fact: object) -> None:
    assert found(presets.rule_set(name), where) == fact


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_preset_asks_for_nothing_that_its_scheme_does_not_publish(name: str) -> None:
    rule_set = presets.rule_set(name)
    told = {where.partition(".")[0] for where in FACTS[name]}
    told |= {"title", "notes", "direction", "country_lists"}
    if "receiver" not in str(FACTS[name].keys()):
        assert rule_set.eligibility.receiver is None
    for key in RuleSet.__struct_fields__:
        if key not in told:
            assert getattr(rule_set, key) == getattr(PLAIN, key), key


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_preset_is_right_and_reads_as_any_file_does(name: str) -> None:
    document = presets.document(name)
    assert complaints(document, frozenset()) == []
    assert documents.convert(documents.read(presets.text(name).encode()), RuleSet) == document
    assert document.notes


def test_a_price_table_rises_and_names_a_price_for_every_amount() -> None:
    (fee,) = presets.rule_set("qatar_transfer").fees
    assert [one.up_to for one in fee.brackets] == [5000, 25_000, 100_000, None]
    assert [one.money and one.money.amount_minor for one in fee.brackets] == [
        5000, 15_000, 45_000, 90_000,
    ]  # fmt: skip


def test_relations_reach_further_in_an_extended_family() -> None:
    close = set(presets.rule_set("qatar").eligibility.relationships)
    assert {"spouse", "child", "parent", "sibling"} < close
    assert close < set(presets.rule_set("etihad").eligibility.relationships)


def test_no_preset_is_known_by_another_name() -> None:
    with pytest.raises(KeyError):
        presets.document("hilton_honors")
