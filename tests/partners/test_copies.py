"""A member's copy of everything that is kept."""

from datetime import datetime
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger.refusals import HolderMerged
from coalition.members import privacy
from coalition.members.refusals import UnknownMember
from tests.partners.life import ANNA, a_full_life, copy_of
from tests.support.http import Coalition, Shop


async def test_a_copy_holds_everything_that_is_kept(coalition: Coalition, at: datetime) -> None:
    member = await a_full_life(coalition)
    copy = await copy_of(member, at)
    assert copy["member_id"] == str(member)
    assert copy["personal_data"] == {
        "email": "Asa.Exempelsson@exempel.example",
        "phone": "+46701234567",
        "first_name": "Åsa",
        "last_name": "Exempelsson",
        "born": "1980-02-29",
        "cards": ["KORT97520001", "KORT97520002"],
        "other_emails": ["gammal@exempel.example"],
    }
    assert [one["partner"] for one in copy["known_to"]] == ["Handlarn", "Macken"]
    words = [(one["channel"], one["granted"], one["through"]) for one in copy["consents"]]
    assert words == [("email", True, "Handlarn"), ("sms", False, None)]
    assert copy["consents"][1]["note"] == "lives in the blue house"
    assert [one["value"] for one in copy["standings"]] == ["gold"]
    assert copy["balances"] == [{"currency": "POINT", "points": 105}]
    assert sum(one["points_in"] - one["points_out"] for one in copy["lots"]) == 105
    told = [(one["partner"], one["kind"], one["points"]) for one in copy["postings"]]
    assert told == [(None, "merge", 30), ("Handlarn", "issue", 100), ("Handlarn", "redeem", 25)]
    assert all(one["reasons"] for one in copy["postings"])
    (merged,) = copy["merged_members"]
    assert merged["merged_into"] == str(member)
    assert [one["kind"] for one in merged["postings"]] == ["issue", "merge"]
    assert {"holds", "debts", "purchases", "bonuses", "guard_cases"} <= copy.keys()


async def test_a_long_history_is_written_piece_by_piece(
    grocer: Shop, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coalition.points.disclosure.AT_ONCE", 2)
    member = await grocer.new_member()
    for points in range(1, 6):
        await grocer.issue(member, points)
    copy = await copy_of(MemberId(UUID(member)), at)
    assert sorted(one["points"] for one in copy["postings"]) == [1, 2, 3, 4, 5]
    assert len({one["posting_id"] for one in copy["postings"]}) == 5


async def test_there_is_no_copy_of_nobody_nor_of_who_was_merged(
    coalition: Coalition, at: datetime
) -> None:
    with pytest.raises(UnknownMember):
        await copy_of(MemberId(random_id()), at)
    member = await a_full_life(coalition)
    async with transaction() as connection:
        old = await connection.fetchval("SELECT id FROM member WHERE merged_into = $1", member)
    with pytest.raises(HolderMerged):
        await copy_of(old, at)
    with pytest.raises(HolderMerged):
        await privacy.ask(old, reason="a letter", actor=ANNA, at=at)
