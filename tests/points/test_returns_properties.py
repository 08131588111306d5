"""What holds of returns by line, whatever was bought under whatever rules."""

import random
from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import Coalition
from coalition.points.bonuses.documents import RuleDocument
from coalition.points.bonuses.evaluation import Basket, evaluate
from coalition.points.commands import ReturnedLine
from coalition.points.purchases import Circumstances, KeptBasket, KeptLine
from coalition.points.returns import Book, remaining, rules_of_then
from coalition.points.terms import Terms
from tests.points.bonuses.test_properties import CATEGORIES, documents
from tests.points.bonuses.world import GROCER, ZONE, base_rates, basket, numbered

SOME_ID = UUID(int=1)

rules = st.lists(st.integers(1, 6), unique=True, max_size=4).flatmap(
    lambda numbers: st.tuples(*(documents(number) for number in numbers))
)
lines = st.lists(
    st.tuples(st.integers(0, 5_000), st.sampled_from(CATEGORIES), st.integers(1, 4)),
    min_size=1,
    max_size=5,
)


def terms_of(written: Sequence[RuleDocument]) -> Terms:
    known = Catalogue(version=1, coalition=Coalition("Norr", str(ZONE), 1))
    return Terms(known, base_rates(), numbered(written))


def kept_as(bought: Basket, terms: Terms) -> KeptBasket:
    """Return the basket as it is kept when it was judged with nothing used of any cap before."""
    rate = terms.rules.at(GROCER, bought.currency, bought.occurred_at)
    assert rate is not None
    return KeptBasket(
        posting=SOME_ID,
        holder=SOME_ID,
        partner_no=GROCER,
        store_no=None,
        occurred_at=bought.occurred_at,
        currency=bought.currency,
        amount_minor=bought.amount_minor,
        points=evaluate(terms.active, bought, {}).points,
        base_rule_no=rate.no,
        circumstances=Circumstances(
            considered=tuple(rule.no for rule in terms.active.candidates(bought)),
            measures=dict(bought.measures),
        ),
        lines=tuple(
            KeptLine(line.no, line.amount_minor, line.category, None, line.quantity, 0)
            for line in bought.lines
        ),
    )


@given(
    written=rules,
    bought=lines,
    beside=st.integers(0, 500),
    visits=st.integers(0, 2),
    order=st.randoms(use_true_random=False),
)
def test_returns_of_all_lines_take_back_what_the_rest_does_not_earn(
    written: tuple[RuleDocument, ...],
    bought: list[tuple[int, str, int]],
    beside: int,
    visits: int,
    order: random.Random,
) -> None:
    amount = sum(line[0] for line in bought) + beside
    terms = terms_of(written)
    whole = basket(amount, bought, measures={"visits": visits}, store=None)
    kept = kept_as(whole, terms)
    then = rules_of_then(kept, terms, ())
    book = Book(kept, kept.points, then, terms)
    items = [no for no, line in enumerate(bought, start=1) for _ in range(line[2])]
    order.shuffle(items)
    taken = [book.take([ReturnedLine(no=no, quantity=1)]) for no in items]
    rest = remaining(kept, {line.no: line.quantity for line in kept.lines}, terms)
    earned = evaluate(then, rest, {}).points if rest is not None else 0
    assert all(one.points >= 0 for one in taken)
    # Where the rest earns more than is left, since a rule is for small baskets, nothing is given.
    assert sum(one.points for one in taken) >= kept.points - earned
    if rest is None:
        assert beside == 0
        assert sum(one.points for one in taken) == kept.points
        assert taken[-1].still_used == {}


@given(written=rules, bought=lines, visits=st.integers(0, 2))
def test_what_was_kept_is_judged_as_it_was(
    written: tuple[RuleDocument, ...], bought: list[tuple[int, str, int]], visits: int
) -> None:
    amount = sum(line[0] for line in bought) + 1
    terms = terms_of(written)
    whole = basket(amount, bought, measures={"visits": visits}, store=None)
    kept = kept_as(whole, terms)
    again = remaining(kept, {}, terms)
    assert again == whole
    then = rules_of_then(kept, terms, ())
    assert evaluate(then, whole, {}).shares == evaluate(terms.active, whole, {}).shares
