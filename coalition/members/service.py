"""Use cases of members: enrol, find, show, freeze; each joins the caller's transaction.

A change of state that changes something is in the audit log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import holders
from coalition.members import consents, queries, relations, sealing
from coalition.members.blind_index import contact_digest
from coalition.members.consents import Consent
from coalition.members.contacts import ContactKind
from coalition.members.locking import check_open
from coalition.members.personal import Enrolment, PersonalData, checked
from coalition.members.queries import Claim, NewMember, Standing
from coalition.members.refusals import (
    CardTaken,
    ContactTaken,
    EmailTaken,
    InvalidField,
    PhoneTaken,
    UnknownMember,
)
from coalition.members.sealing import MemberKeys
from coalition.members.states import STATE_OF_HOLDER, MemberState
from coalition.oversight import audit_log

TAKEN: dict[ContactKind, type[ContactTaken]] = {
    ContactKind.CARD: CardTaken,
    ContactKind.EMAIL: EmailTaken,
    ContactKind.PHONE: PhoneTaken,
}


class Enrolled(msgspec.Struct, frozen=True):
    """A new member."""

    member_id: MemberId


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member as one partner may see it; `personal` is None without a relation.

    Asked by the id of a member who was merged it is the survivor, with that id as `merged_from`.
    """

    member_id: MemberId
    state: MemberState
    personal: PersonalData | None
    merged_from: MemberId | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    line: int
    member_id: MemberId
    data: PersonalData
    claims: tuple[Claim, ...]
    consents: list[Consent]


async def enrol(
    enrolment: Enrolment, *, partner_no: int, keys: MemberKeys, at: datetime
) -> Enrolled:
    """Make a member with an account in the ledger and a relation to the enrolling partner.

    Raises `NoContact`, `InvalidField`, `Invalid`, `InvalidConsent` or a `ContactTaken`;
    repeating an enrolment safely is the caller's, by its idempotency claim in the same transaction.
    """
    (outcome,) = await enrol_many([enrolment], partner_no=partner_no, keys=keys, at=at)
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


async def enrol_many(
    enrolments: Sequence[Enrolment], *, partner_no: int, keys: MemberKeys, at: datetime
) -> list[Enrolled | Refused]:
    """Enrol a list in one set of statements; return the answer to each, in order.

    A line that is refused leaves nothing and does not spoil the others. Of lines that want the same
    contact the first that can be enrolled gets it.
    """
    outcomes: dict[int, Enrolled | Refused] = {}
    candidates = []
    for line, enrolment in enumerate(enrolments):
        try:
            candidates.append(_candidate(line, enrolment, partner_no=partner_no, keys=keys, at=at))
        except Refused as refusal:
            outcomes[line] = refusal
    async with transaction() as connection:
        refused = await _claim(connection, candidates)
        accepted = [candidate for candidate in candidates if candidate.line not in refused]
        if accepted:
            await _store(connection, accepted, partner_no=partner_no, keys=keys, at=at)
    outcomes |= refused
    outcomes |= {candidate.line: Enrolled(candidate.member_id) for candidate in accepted}
    return [outcomes[line] for line in range(len(enrolments))]


async def find(kind: ContactKind, value: str, *, keys: MemberKeys) -> MemberId:
    """Return the member who holds exactly this card, e-mail address or phone number.

    Raises the `InvalidField` of its kind, naming a parameter of a query, or `UnknownMember`.
    """
    try:
        digest = contact_digest(keys.blind_index_key, kind, value)
    except InvalidField as refusal:
        raise refusal.of_parameter() from refusal
    async with transaction() as connection:
        found = await queries.holders_of_cards(connection, [digest])
    if digest not in found:
        raise UnknownMember
    return found[digest]


async def show(member_id: MemberId, *, partner_no: int, keys: MemberKeys) -> MemberView:
    """Return a member as the partner may see it: personal data only where a relation exists.

    Raises `UnknownMember`. Opened here, the transaction sees the tenant's rows only.
    """
    merged_from = None
    async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
        stored = await queries.read_for_partner(connection, member_id, partner_no=partner_no)
        if stored is not None and stored.merged_into is not None:
            merged_from, member_id = member_id, stored.merged_into
            stored = await queries.read_for_partner(connection, member_id, partner_no=partner_no)
    if stored is None:
        raise UnknownMember
    personal = None
    if stored.sealed is not None and stored.wrapped_key is not None:
        personal, _ = opened(stored, member_id=member_id, keys=keys)
    return MemberView(
        member_id=member_id, state=stored.state, personal=personal, merged_from=merged_from
    )


async def freeze(member_id: MemberId, *, actor: str, at: datetime) -> None:
    """Stop the member's points until `unfreeze`.

    Raises `UnknownMember`, `HolderMerged` or `MemberIsClosed`.
    """
    await _change_state(member_id, MemberState.FROZEN, at, action="member.frozen", actor=actor)


async def unfreeze(member_id: MemberId, *, actor: str, at: datetime) -> None:
    """Let a frozen member's points move again; raises as `freeze` does."""
    await _change_state(member_id, MemberState.ACTIVE, at, action="member.unfrozen", actor=actor)


def opened(
    stored: queries.StoredMember, *, member_id: MemberId, keys: MemberKeys
) -> tuple[PersonalData, bytes]:
    """Return a member's personal data and the key that opened them. Raises `SealBrokenError`."""
    assert stored.wrapped_key is not None, "sealed data have a key"
    assert stored.sealed is not None, "there is something to open"
    key = sealing.unwrap(stored.wrapped_key, member_id=member_id, master_key=keys.master_key)
    plaintext = sealing.unseal(stored.sealed, member_id=member_id, key=key)
    return msgspec.json.decode(plaintext, type=PersonalData), key


def _candidate(
    line: int, enrolment: Enrolment, *, partner_no: int, keys: MemberKeys, at: datetime
) -> _Candidate:
    data = checked(enrolment, today=at.date())
    member_id = MemberId(random_id())
    given = consents.at_till(
        member_id, enrolment.consents, partner_no=partner_no, source="enrolment", at=at
    )
    claims = tuple(
        Claim(contact_digest(keys.blind_index_key, kind, value), kind, member_id)
        for kind, value in data.contacts()
    )
    return _Candidate(line, member_id, data, claims, given)


async def _claim(connection: Connection, candidates: list[_Candidate]) -> dict[int, ContactTaken]:
    """Claim the contacts of `candidates`; return the refusals by line, whose claims are released.

    A line that lost only to lines which are themselves refused gets another round; the first line
    of each round always ends in it.
    """
    refused: dict[int, ContactTaken] = {}
    waiting = candidates
    while waiting:
        won = await queries.claim_contacts(connection, [c for w in waiting for c in w.claims])
        losers = [candidate for candidate in waiting if not won.issuperset(candidate.claims)]
        if not losers:
            break
        claims = {claim for loser in losers for claim in loser.claims}
        held_by = await queries.holders_of_cards(connection, {claim.digest for claim in claims})
        await queries.release_contacts(connection, claims & won)
        passing = {loser.member_id for loser in losers} | {None}
        waiting = []
        for loser in losers:
            taken = [c.kind for c in loser.claims if held_by.get(c.digest) not in passing]
            if taken:
                refused[loser.line] = TAKEN[taken[0]](taken=[str(kind) for kind in taken])
            else:
                waiting.append(loser)
    return refused


async def _store(
    connection: Connection,
    accepted: list[_Candidate],
    *,
    partner_no: int,
    keys: MemberKeys,
    at: datetime,
) -> None:
    new_members = []
    for candidate in accepted:
        member_id, key = candidate.member_id, sealing.new_key()
        plaintext = msgspec.json.encode(candidate.data)
        new_members.append(
            NewMember(
                member_id,
                sealing.wrap(key, member_id=member_id, master_key=keys.master_key),
                sealing.seal(plaintext, member_id=member_id, key=key, version=1),
            )
        )
    ids = [candidate.member_id for candidate in accepted]
    await holders.open_holders(connection, ids, at)
    await queries.add_members(connection, new_members, enrolled_by=partner_no, at=at)
    await relations.ensure(connection, [(member_id, partner_no) for member_id in ids], at)
    await consents.add(connection, [one for candidate in accepted for one in candidate.consents])


async def _change_state(
    member_id: MemberId, wanted: MemberState, at: datetime, *, action: str, actor: str
) -> None:
    async with transaction() as connection:
        stored = await queries.lock_member(connection, member_id)
        if stored is None:
            raise UnknownMember
        check_open(Standing(stored.state, stored.merged_into))
        if stored.state is wanted:
            return
        await queries.change_state(connection, member_id, wanted, at)
        await holders.set_state(connection, member_id, STATE_OF_HOLDER[wanted])
        subject = f"member:{member_id}"
        await audit_log.record(
            connection, actor=actor, action=action, subject=subject, facts={}, at=at
        )
