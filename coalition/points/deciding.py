"""Decides, under the locks of a batch, what depends on what members had before, and keeps why.

Two kinds of acts cannot be decided beforehand: issues under a rule that is capped per member, and
returns by line. Both wait in the batch until their holder is locked (see `posting.Decide`).
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec import structs

from coalition.federation.terms import Contract
from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.ledger import holders
from coalition.ledger.drafts import Draft, Issue, Outcome, Owed, Posted, Reverse
from coalition.ledger.originals import KeptPosting, read_postings
from coalition.points import purchases, returns, usage
from coalition.points.bonuses import personal
from coalition.points.bonuses.compiled import Rule
from coalition.points.commands import ReturnedLine
from coalition.points.judging import Earned, grants_of, judge
from coalition.points.purchases import Judged, KeptBasket
from coalition.points.refusals import NoLines
from coalition.points.returns import Book, Taken
from coalition.points.rules import Reason, reversed_reason
from coalition.points.terms import Terms
from coalition.points.usage import Counter, Share

Bonuses = Mapping[MemberId, tuple[Rule, ...]]


class NothingMoves(Refused):
    """Nothing is posted, and that is as it should be: the purchase earns nothing, or no more."""

    code, title = "nothing_moves", "Nothing moves"

    def __init__(self, member: UUID, reasons: list[Reason]) -> None:
        """Say so of `member`, with the reasons that the till is told."""
        super().__init__()
        self.member = member
        self.reasons = reasons


class Drafted(msgspec.Struct, frozen=True, gc=False):
    """A draft with what its answer and its record need to know.

    `caps` are the counters that an open issue waits for, `lines` those that a reversal returns.
    """

    draft: Draft
    earned: Earned | None = None
    contract: Contract | None = None
    caps: tuple[Counter, ...] = ()
    lines: Sequence[ReturnedLine] = ()


class Deciding:
    """The drafts of one batch; those that are open are decided when it is called."""

    def __init__(self, drafted: Sequence[Drafted], terms: Terms) -> None:
        """Take `drafted`, in their order of arrival."""
        self.drafted = list(drafted)
        self._terms = terms
        self._returns: dict[int, tuple[UUID, Taken]] = {}

    @property
    def is_needed(self) -> bool:
        """Tell whether any draft is open."""
        return any(one.caps or one.lines for one in self.drafted)

    def drafts(self) -> list[Draft]:
        """Return the drafts as they stand."""
        return [one.draft for one in self.drafted]

    async def decide(
        self, connection: Connection, positions: Sequence[int]
    ) -> dict[int, Draft | Refused]:
        """Return what stands in place of the open ones among the drafts at `positions`.

        Issues are judged in order of arrival, each counting what the ones before it use.
        """
        capped = [i for i in positions if self.drafted[i].caps]
        returned = [i for i in positions if self.drafted[i].lines]
        decided: dict[int, Draft | Refused] = {}
        if capped:
            decided |= await self._issues(connection, capped)
        if returned:
            decided |= await self._reversals(connection, returned)
        return decided

    async def write(
        self, connection: Connection, outcomes: Sequence[Outcome], later: Later
    ) -> None:
        """Keep what was judged, count what was used, and note what was returned, where posted.

        Purchases are kept when the caller writes `later`.
        """
        judged: list[Judged] = []
        used: list[Share] = []
        for one, outcome in zip(self.drafted, outcomes, strict=True):
            if one.earned is None or one.earned.verdict is None or not isinstance(outcome, Posted):
                continue
            verdict, basket = one.earned.verdict, one.earned.basket
            if not verdict.gains and not (basket and basket.lines):
                continue  # the base rate alone: the posting tells it all
            judged.append(self._judged(one, one.earned, outcome))
            used += [
                Share(outcome.posting, outcome.holder, use.rule_no, use.period, use.points, 0)
                for use in verdict.usage
            ]
        if judged:
            await purchases.write(later, judged)
            await usage.add(connection, used)
        if self._returns:
            await self._note_returns(connection, outcomes)
        if self._terms.has_caps:
            await self._give_usage_back(connection, outcomes)

    def _judged(self, one: Drafted, earned: Earned, outcome: Posted) -> Judged:
        assert isinstance(one.draft, Issue), "only issues earn"
        assert earned.basket is not None, "what was judged has a basket"
        store_no = one.draft.till.store_no
        rules = self._terms.active.candidates(earned.basket) if earned.basket.lines else ()
        return Judged(outcome.posting, outcome.holder, store_no, earned, rules)

    async def _issues(
        self, connection: Connection, positions: Sequence[int]
    ) -> dict[int, Draft | Refused]:
        wanted = [(_holder(self.drafted[i]), self.drafted[i].caps) for i in positions]
        used = await usage.read(connection, wanted)
        decided: dict[int, Draft | Refused] = {}
        for i in positions:
            try:
                self.drafted[i] = self._issue(self.drafted[i], used)
                decided[i] = self.drafted[i].draft
            except Refused as refusal:
                decided[i] = refusal
        return decided

    def _issue(self, one: Drafted, used: dict[tuple[UUID, Counter], int]) -> Drafted:
        """Return the issue judged by what was `used` so far, and count what it uses itself."""
        assert isinstance(one.draft, Issue), "only issues wait for caps"
        assert one.earned is not None, "an open issue has its basket"
        assert one.earned.basket is not None, "an open issue has its basket"
        assert one.contract is not None, "an open issue has its contract"
        holder, at = one.draft.holder, one.draft.till.occurred_at
        mine = {cap: used.get((holder, cap), 0) for cap in one.caps}
        earned = judge(one.earned.basket, one.earned.purchase, self._terms.active, mine)
        if earned.points == 0:
            raise NothingMoves(holder, earned.reasons)
        assert earned.verdict is not None, "it was judged"
        for use in earned.verdict.usage:
            counter = (holder, (use.rule_no, use.period))
            used[counter] = used.get(counter, 0) + use.points
        grants = grants_of(earned, one.contract, self._terms, at)
        rule_no = earned.rule.no if earned.rule else None
        draft = structs.replace(one.draft, grants=grants, rule_no=rule_no)
        return structs.replace(one, earned=earned, draft=draft)

    async def _reversals(
        self, connection: Connection, positions: Sequence[int]
    ) -> dict[int, Draft | Refused]:
        wanted = {_reversal(self.drafted[i]).posting for i in positions}
        baskets = await purchases.read(connection, wanted)
        originals = await read_postings(connection, baskets)
        own = await _bonuses_of(connection, baskets.values())
        books = {
            posting: self._book(kept, originals[posting], own.get(MemberId(kept.holder), ()))
            for posting, kept in baskets.items()
        }
        decided: dict[int, Draft | Refused] = {}
        for i in positions:
            draft = _reversal(self.drafted[i])
            try:
                if draft.posting not in books:
                    raise NoLines
                decided[i] = self._return(i, draft, books[draft.posting])
            except Refused as refusal:
                decided[i] = refusal
        return await _told_of_survivors(connection, decided)

    def _book(self, kept: KeptBasket, original: KeptPosting, own: Collection[Rule]) -> Book:
        rules = returns.rules_of_then(kept, self._terms, own)
        return Book(kept, _left_of(original)[1], rules, self._terms)

    def _return(self, position: int, draft: Reverse, book: Book) -> Draft:
        one = self.drafted[position]
        taken = book.take(one.lines, draft.points)
        self._returns[position] = draft.posting, taken
        reason = draft.reason or returns.described(taken.back)
        if taken.points == 0 and not taken.is_too_late:
            raise NothingMoves(book.kept.holder, [reversed_reason(0, reason)])
        # Without points the ledger takes what is left of all, or refuses where nothing is.
        decided = structs.replace(
            draft, points=taken.points or None, reason=reason, by_funder=taken.by_funder
        )
        self.drafted[position] = structs.replace(one, draft=decided)
        return decided

    async def _note_returns(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        back: dict[UUID, dict[int, int]] = {}
        for position, (posting, taken) in self._returns.items():
            if _is_done(outcomes[position]):
                lines = back.setdefault(posting, {})
                for no, quantity in taken.back.items():
                    lines[no] = lines.get(no, 0) + quantity
        if back:
            await purchases.take_back(connection, back)

    async def _give_usage_back(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        """Let what was reversed no longer count: by its lines, or else in proportion to points."""
        plain: set[UUID] = set()
        left_over: dict[UUID, dict[Counter, int]] = {}
        for position, one in enumerate(self.drafted):
            if isinstance(one.draft, Reverse) and _is_done(outcomes[position]):
                if position in self._returns:
                    left_over[one.draft.posting] = self._returns[position][1].still_used
                else:
                    plain.add(one.draft.posting)
        shares = await usage.shares_of(connection, plain) if plain else {}
        originals = await read_postings(connection, shares) if shares else {}
        for posting, used in shares.items():
            granted, left = _left_of(originals[posting])
            # Rounded up: a cap is never exceeded for the sake of a fraction.
            kept = left_over.setdefault(posting, {})
            for share in used:
                kept[share.rule_no, share.period] = -(-share.points * left // granted)
        if left_over:
            await usage.give_back(connection, left_over)


def _left_of(original: KeptPosting) -> tuple[int, int]:
    """Return how many points a posting moved, and how many of them are not reversed."""
    granted = sum(leg.points for leg in original.legs)
    return granted, granted - sum(leg.reversed for leg in original.legs)


def _is_done(outcome: Outcome) -> bool:
    return isinstance(outcome, Posted | Owed | NothingMoves)


async def _bonuses_of(connection: Connection, baskets: Collection[KeptBasket]) -> Bonuses:
    """Return the bonuses of the members in whose baskets they had a say."""
    members = {MemberId(kept.holder) for kept in baskets if kept.circumstances.personal}
    return await personal.read(connection, members) if members else {}


async def _told_of_survivors(
    connection: Connection, decided: dict[int, Draft | Refused]
) -> dict[int, Draft | Refused]:
    """Let returns that move nothing name the survivor of a member who was merged since."""
    unmoved = {i: one for i, one in decided.items() if isinstance(one, NothingMoves)}
    if unmoved:
        merged = await holders.survivors_of(connection, {one.member for one in unmoved.values()})
        for i, one in unmoved.items():
            if one.member in merged:
                decided[i] = NothingMoves(merged[one.member], one.reasons)
    return decided


def _holder(one: Drafted) -> UUID:
    assert isinstance(one.draft, Issue), "only issues wait for caps"
    return one.draft.holder


def _reversal(one: Drafted) -> Reverse:
    assert isinstance(one.draft, Reverse), "only reversals return lines"
    return one.draft
