"""Rule sets with mistakes: refused with the line, the key and what would be right."""

from typing import Any

import pytest

from coalition.families.checking import complaints
from coalition.families.documents import PresetUse, expanded
from coalition.families.rule_sets import RuleSet
from server import documents
from tests.families.registered import varied, written

ACCOUNT: dict[str, Any] = {
    "group": {"spend": {"head": {"scope": "pool"}}},
    "contribution": {"existing": "all"},
}
HEADED: dict[str, Any] = {"group": {"spend": {"head": {"scope": "pool"}}}}
AMOUNT = {"subject": "sender", "measure": "amount", "window": "day", "max": 10}
JOINS = {"subject": "member", "measure": "count", "window": "day", "max": 1, "on": "join"}
FLAT = {"kind": "flat", "money": {"amount_minor": 100, "currency": "SEK"}}
SEK = {"amount_minor": 100, "currency": "SEK"}


def said(rules: RuleSet) -> list[tuple[str, str]]:
    return [(".".join(map(str, one.path)), one.text) for one in complaints(rules, frozenset())]


MISTAKES: list[tuple[str, dict[str, Any], str, str]] = [
    ("p2p", {"timezone": "Mars/Base"}, "timezone", "write one such as Europe/Stockholm"),
    ("pool_view", {**HEADED, "direction": "child_to_parent"}, "direction", "are p2p"),
    ("p2p", {"debit": {"order": "proportional"}}, "debit.order", "write earliest_expiry"),
    ("nominee_only", {"group": {"members": {"max": 1}}}, "group.nominees", "nominees: {max: 5}"),
    ("p2p", {"group": {"adults": {"min": 3, "max": 2}}}, "group.adults", "turn them round"),
    ("p2p", {"group": {"members": {"max": 0}}}, "group.members.max", "write at least 1"),
    (
        "p2p",
        {"group": {"members": {"max": 2}, "adults": {"min": 2}, "minors": {"min": 1}}},
        "group.members.max",
        "3 adults and minors do not fit into 2",
    ),
    ("p2p", {"group": {"infant_below": 19}}, "group.infant_below", "write a lower age"),
    ("pool_view", {}, "group.spend", "write head: {scope: pool}"),
    (
        "pool_view",
        {"group": {"spend": {"owner": {"scope": "pool"}}}},
        "group.spend.owner",
        "there are: head, spouse",
    ),
    ("p2p", HEADED, "group.spend.head.scope", "write own"),
    (
        "pool_view",
        {"group": {"spend": {"head": {"scope": "pool", "revocable": True}}}},
        "group.spend.head",
        "leave by_grant and revocable out",
    ),
    ("p2p", {"eligibility": {"name_match": True}}, "eligibility.name_match", "receiver"),
    (
        "p2p",
        {"eligibility": {"min_age": 20, "max_age": 18}},
        "eligibility.min_age",
        "turn them round",
    ),
    (
        "p2p",
        {"eligibility": {"min_age_with_guardian": 3}},
        "eligibility.min_age_with_guardian",
        "a higher min_age",
    ),
    ("p2p", {"eligibility": {"evidence": "required"}}, "eligibility.evidence", "relationships"),
    ("p2p", {"eligibility": {"countries": ["UK"]}}, "eligibility.countries.0", "is GB"),
    (
        "p2p",
        {"eligibility": {"countries": ["SE", "nordics"]}},
        "eligibility.countries.1",
        "name its countries in country_lists",
    ),
    (
        "p2p",
        {"eligibility": {"countries": ["nordics"]}, "country_lists": {"nordics": []}},
        "country_lists.nordics",
        "the list is empty",
    ),
    (
        "p2p",
        {"eligibility": {"head": {"relationships": ["child"]}}},
        "eligibility.head.relationships",
        "write them under eligibility",
    ),
    (
        "p2p",
        {"eligibility": {"head": {"address": "same"}}},
        "eligibility.head.address",
        "write it under eligibility",
    ),
    (
        "p2p",
        {"eligibility": {"head": {"name_match": True}}},
        "eligibility.head.name_match",
        "eligibility.receiver",
    ),
    (
        "pool_view",
        {**HEADED, "eligibility": {"receiver": {"min_age": 18}}},
        "eligibility.receiver",
        "leave receiver out",
    ),
    ("p2p", {"join": {"accept": "nobody"}}, "join.accept", "write invitee"),
    ("p2p", {"join": {"invitation_days": 0}}, "join.invitation_days", "write at least 1"),
    ("p2p", {"contribution": {"existing": "all"}}, "contribution.existing", "pool_account"),
    (
        "pool_view",
        {**HEADED, "contribution": {"future_percent": [100]}},
        "contribution.future_percent",
        "leave future_percent out",
    ),
    (
        "sweep_to_head",
        {**HEADED, "contribution": {"future_percent": [0]}},
        "contribution.future_percent",
        "such as [100]",
    ),
    (
        "linked_wallet",
        {**HEADED, "contribution": {"future_percent": [50]}},
        "contribution.future_percent",
        "write [100]",
    ),
    (
        "pool_account",
        {**ACCOUNT, "contribution": {}},
        "contribution",
        "write existing, future_percent or manual",
    ),
    (
        "sweep_to_head",
        {**HEADED, "contribution": {"future_percent": [50, 50]}},
        "contribution.future_percent",
        "keep one of them",
    ),
    ("p2p", {"transfer": {"min": 20, "max": 10}}, "transfer.min", "turn them round"),
    ("p2p", {"transfer": {"min": 1500, "step": 1000}}, "transfer.min", "no multiple of the step"),
    ("p2p", {"transfer": {"max": 1500, "step": 1000}}, "transfer.max", "no multiple of the step"),
    ("pool_view", {**HEADED, "transfer": {"max": 10}}, "transfer.max", "leave it out"),
    (
        "pool_view",
        {**HEADED, "transfer": {"purpose": "named_reward"}},
        "transfer.purpose",
        "leave it out",
    ),
    ("p2p", {"limits": [AMOUNT, AMOUNT]}, "limits.1", "give this one an id of its own"),
    ("pool_view", {**HEADED, "limits": [AMOUNT]}, "limits.0.on", "such as join or redeem"),
    ("p2p", {"limits": [JOINS | {"on": "contribute"}]}, "limits.0.on", "write another event"),
    ("p2p", {"limits": [JOINS | {"measure": "amount"}]}, "limits.0.measure", "write count"),
    (
        "p2p",
        {"limits": [JOINS | {"measure": "counterparties"}]},
        "limits.0.measure",
        "join has no other side; write count",
    ),
    ("p2p", {"limits": [JOINS | {"measure": "changes"}]}, "limits.0.on", "write on: change"),
    (
        "p2p",
        {"limits": [JOINS | {"measure": "groups_joined", "on": "leave"}]},
        "limits.0.on",
        "write on: join",
    ),
    ("p2p", {"limits": [AMOUNT | {"within_hours": 2}]}, "limits.0.within_hours", "on: change"),
    ("p2p", {"fees": [{"kind": "percent", "percent": "5", "payer": "receiver"}]}, "fees.0.payer",
     "points are taken of who acts"),
    ("p2p", {"fees": [{"kind": "bracket", "brackets": [{"points": 5}], "payer": "receiver"}]},
     "fees.0.payer", "points are taken of who acts"),
    ("p2p", {"limits": [JOINS | {"undone_counts": True}]}, "limits.0.undone_counts", "leave it"),
    ("p2p", {"limits": [JOINS | {"subject": "pair"}]}, "limits.0.subject", "write member or"),
    ("p2p", {"limits": [JOINS | {"subject": "sender"}]}, "limits.0.subject", "write member"),
    ("p2p", {"limits": [AMOUNT | {"subject": "member"}]}, "limits.0.subject", "write sender or"),
    (
        "p2p",
        {"limits": [AMOUNT | {"subject": "pair", "measure": "counterparties"}]},
        "limits.0.measure",
        "write amount or count",
    ),
    (
        "p2p",
        {"limits": [AMOUNT | {"subject": "pair", "window": "membership_year"}]},
        "limits.0.window",
        "write calendar_year",
    ),
    (
        "p2p",
        {"limits": [JOINS | {"subject": "group", "measure": "groups_joined"}]},
        "limits.0.subject",
        "write member",
    ),
    ("pool_view", {**HEADED, "fees": [FLAT]}, "fees.0.on", "such as join or redeem"),
    ("p2p", {"fees": [{"kind": "flat"}]}, "fees.0", "write money or points"),
    (
        "p2p",
        {"fees": [{"kind": "percent", "percent": "5", "money": SEK}]},
        "fees.0.money",
        "leave it out",
    ),
    ("p2p", {"fees": [FLAT | {"block": 1000}]}, "fees.0.block", "kind: per_block"),
    ("p2p", {"fees": [FLAT | {"kind": "per_block"}]}, "fees.0.block", "write both or neither"),
    ("p2p", {"fees": [{"kind": "percent"}]}, "fees.0.percent", "write both or neither"),
    ("p2p", {"fees": [{"kind": "percent", "percent": "101"}]}, "fees.0.percent", "more than 0"),
    ("p2p", {"fees": [{"kind": "bracket"}]}, "fees.0.brackets", "write both or neither"),
    (
        "p2p",
        {"fees": [{"kind": "percent", "percent": "5", "on": "join", "payer": "member"}]},
        "fees.0.kind",
        "write flat",
    ),
    (
        "p2p",
        {"fees": [{"kind": "percent", "percent": "5", "min": 9, "max": 8}]},
        "fees.0.min",
        "turn them round",
    ),
    ("p2p", {"fees": [FLAT | {"max": 8}]}, "fees.0.max", "leave min and max out"),
    (
        "p2p",
        {"fees": [FLAT | {"kind": "per_block", "block": 9, "points": 1, "min": 8}]},
        "fees.0.min",
        "leave one of the two out",
    ),
    ("p2p", {"fees": [FLAT | {"payer": "head"}]}, "fees.0.payer", "have no head"),
    ("p2p", {"fees": [FLAT | {"on": "join"}]}, "fees.0.payer", "payer: member or payer: head"),
    ("p2p", {"fees": [FLAT | {"payer": "member"}]}, "fees.0.payer", "write sender or receiver"),
    (
        "p2p",
        {"fees": [{"kind": "bracket", "brackets": [{"up_to": 5, "points": 1}, {"up_to": 4}]}]},
        "fees.0.brackets.1.up_to",
        "put them in order",
    ),
    (
        "p2p",
        {"fees": [{"kind": "bracket", "brackets": [{"points": 1}, {"points": 2}]}]},
        "fees.0.brackets.0.up_to",
        "put it last",
    ),
    (
        "p2p",
        {"fees": [{"kind": "bracket", "brackets": [{"points": 1, "up_to": 5}]}]},
        "fees.0.brackets.0.up_to",
        "leave up_to out of the last",
    ),
    (
        "p2p",
        {"fees": [{"kind": "bracket", "brackets": [{}]}]},
        "fees.0.brackets.0",
        "write money or points",
    ),
    (
        "p2p",
        {"fees": [FLAT | {"money": SEK | {"currency": "XXQ"}}]},
        "fees.0.money.currency",
        "such as EUR",
    ),
    ("p2p", {"fees": [FLAT | {"only": {}}]}, "fees.0.only", "it names nobody"),
    ("p2p", {"fees": [FLAT | {"waived": [{}]}]}, "fees.0.waived.0", "it names nobody"),
    ("p2p", {"expiry": {"treatment": "reset"}}, "expiry.treatment", "write them in expiry.months"),
    ("p2p", {"expiry": {"months": 6}}, "expiry.months", "write treatment: reset"),
    ("p2p", {"expiry": {"treatment": "head_policy"}}, "expiry.treatment", "receiver_policy"),
    (
        "p2p",
        {"expiry": {"suspended_by_head_tier": True}},
        "expiry.suspended_by_head_tier",
        "leave it out",
    ),
    ("p2p", {"expiry": {"earned_later": "carried"}}, "expiry.earned_later", "leave it out"),
    ("p2p", {"exits": {"leaving": "to_heir"}}, "exits.leaving", "write keep_own_share"),
    (
        "pool_account",
        {**ACCOUNT, "exits": {"closing": "stays_in_pool"}},
        "exits.closing",
        "write keep_own_share or split",
    ),
    (
        "pool_view",
        {**HEADED, "exits": {"death": "stays_in_pool"}},
        "exits.death",
        "points stay with their owners",
    ),
    (
        "p2p",
        {"control": {"approvals": [{"by": "staff"}, {"by": "staff", "above": 5}]}},
        "control.approvals.1.by",
        "keep one of the two",
    ),
    (
        "p2p",
        {"control": {"approvals": [{"by": "staff"}], "approval_days": 0}},
        "control.approval_days",
        "write at least 1",
    ),
    (
        "p2p",
        {"control": {"blackouts": [{"first": "2026-02-30", "last": "2026-03-01"}]}},
        "control.blackouts.0",
        "no days of the calendar",
    ),
    (
        "p2p",
        {"control": {"blackouts": [{"first": "2026-03-02", "last": "2026-03-01"}]}},
        "control.blackouts.0.last",
        "turn them round",
    ),
    ("p2p", {"transfer": {"spend_on": ["Grocer"]}}, "transfer.spend_on.0", "no partner 'Grocer'"),
    (
        "p2p",
        {"transfer": {"lots": {"issuers": ["issuer"]}}},
        "transfer.lots.issuers.0",
        "no partner 'issuer'",
    ),
    ("p2p", {"changes": [{"when": {}, "set": {"transfer.max": 1}}]}, "changes.0.when", "nobody"),
    (
        "p2p",
        {"changes": [{"when": {"plans": ["plus"]}, "set": {}}]},
        "changes.0.set",
        "write a rule and its number",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mechanism", "keys", "where", "remedy"),
    [pytest.param(*one, id=f"{no} {one[2]}") for no, one in enumerate(MISTAKES)],
)
def test_a_mistake_is_named_by_its_key_with_what_would_be_right(
    mechanism: str, keys: dict[str, Any], where: str, remedy: str
) -> None:
    texts = [text for place, text in said(written(mechanism, **keys)) if place == where]
    assert any(remedy in text for text in texts), said(written(mechanism, **keys))


@pytest.mark.parametrize(
    ("path", "number", "remedy"),
    [
        ("transfer.mox", 5, "there are: lots, max, may_move_on"),
        ("limits.pair.count.day", 5, "there are: limits.sender.amount.calendar_year"),
        ("transfer.purpose", 5, "is no number"),
        ("eligibility.receiver.money", 5, "there are: address"),
        ("fees.0.money.amount_minor", 5, "there are 0 there"),
        ("group.spend.head.scope", 5, "leads to no number"),
        ("join.lock_in_days", -1, "-1 cannot stand there"),
        ("transfer.max", 1500, "no multiple of the step"),
        ("transfer.max", 0, "0 cannot stand there"),
        ("title", 1, "is no number"),
    ],
)
def test_a_change_for_some_is_judged_as_the_rules_it_makes(
    path: str, number: int, remedy: str
) -> None:
    rules = varied("hilton", changes=[{"when": {"plans": ["plus"]}, "set": {path: number}}])
    ((where, text),) = said(rules)
    assert where == f"changes.0.set.{path}"
    assert remedy in text


def test_any_number_can_be_changed_for_some() -> None:
    numbers = {
        "transfer.min": None,
        "transfer.max": 900_000,
        "limits.sender.amount.calendar_year": None,
        "limits.sender.count.calendar_year": 12,
        "group.members.max": 20,
        "eligibility.min_balance": None,
        "eligibility.min_account_days.active": 0,
        "eligibility.receiver.min_account_days.idle": 5,
        "join.lock_in_days": 7,
        "control.step_up_above": 10_000,
        "control.hold.new_receiver_hours": 24,
        "exits.at_age": 21,
    }
    assert said(varied("hilton", changes=[{"when": {"tiers": ["gold"]}, "set": numbers}])) == []
    fee = {"fees.0.money.amount_minor": 0}
    assert said(varied("avios_transfer", changes=[{"when": {"plans": ["x"]}, "set": fee}])) == []
    percent = written(
        fees=[{"kind": "percent", "percent": "2.5"}],
        changes=[{"when": {"segments": ["staff"]}, "set": {"fees.0.percent": 1}}],
    )
    assert said(percent) == []


def test_partners_are_known_by_name_or_number_and_the_issuer_by_word() -> None:
    rules = written(transfer={"spend_on": ["issuer", "GROCER", "2"]})
    assert complaints(rules, frozenset({"grocer", "2"})) == []
    assert complaints(written(transfer={"spend_on": ["Grocer"]})) == []


FILE = """\
title: Family
mechanism: pool_view
group:
  members: {min: 5, max: 2}
  spend: {head: {scope: pool}}
limits:
  - {subject: group, measure: changes, window: rolling 0 months, max: 1}
colour: red
"""


def test_a_file_is_refused_by_line_and_key() -> None:
    with pytest.raises(documents.BadDocumentError) as refused:
        documents.convert(documents.read(FILE.encode()), RuleSet)
    problems = [(one.line, one.key) for one in refused.value.problems]
    assert (7, "limits[0].window") in problems
    assert (8, "colour") in problems

    mended = FILE.replace("rolling 0 months", "rolling 6 months").replace("colour: red\n", "")
    node = documents.read(mended.encode())
    found = [node.problem(*one) for one in complaints(documents.convert(node, RuleSet))]
    assert [(one.line, one.key) for one in found] == [
        (4, "group.members"),
        (7, "limits[0].on"),
        (7, "limits[0].on"),
    ]


@pytest.mark.parametrize(
    ("use", "where", "remedy"),
    [
        (PresetUse(preset="hilten"), "preset", "there are: avios_transfer, ba_household"),
        (PresetUse(preset="hilton", override={"transfer.mix": 1}), "override", "there are: lots"),
        (PresetUse(preset="hilton", override={"transfer.min": -1}), "override", "cannot stand"),
    ],
)
def test_a_preset_is_named_as_it_is_shipped_and_changed_where_it_has_numbers(
    use: PresetUse, where: str, remedy: str
) -> None:
    rules, found = expanded(use)
    assert rules is None
    assert (found[0].path[0], remedy in found[0].text) == (where, True)


def test_a_preset_takes_other_numbers_and_another_title() -> None:
    use = PresetUse(preset="hilton", override={"transfer.max": 9000, "transfer.min": None},
                    title="Ours")  # fmt: skip
    rules, found = expanded(use)
    assert found == []
    assert rules is not None
    assert (rules.title, rules.transfer.max, rules.transfer.min) == ("Ours", 9000, None)
    assert rules.transfer.step == 1000
