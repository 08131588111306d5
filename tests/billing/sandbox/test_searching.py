"""Searches in Stripe's query language."""

import pytest
import stripe

from billing.sandbox.searching import parsed
from tests.billing.sandbox.account import Account

ADA = {"email": "ada@example.com", "metadata": {"plan": "plus"}, "created": 100, "name": None}


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("email:'ada@example.com'", True),
        ("email:'ADA@example.com'", True),
        ("email:'bob@example.com'", False),
        ("-email:'bob@example.com'", True),
        ("email~'ada'", True),
        ("metadata['plan']:'plus'", True),
        ('metadata["plan"]:"basic"', False),
        ("metadata['other']:null", True),
        ("name:null", True),
        ("-name:null", False),
        ("created>99", True),
        ("created<=99", False),
        ("email:'ada@example.com' AND created>100", False),
        ("email:'bob' OR created>=100", True),
        ("email:'ada@example.com' metadata['plan']:'plus'", True),
    ],
)
def test_a_query_says_what_is_found(query: str, is_found: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert parsed(query)(ADA) is is_found


async def test_customers_are_searched_by_pages() -> None:
    account = Account()
    for _ in range(3):
        await account.customer()
    customers = account.stripe.v1.customers
    first = await customers.search_async({"query": "email~'ada'", "limit": 2})
    assert (len(first.data), first.has_more) == (2, True)
    rest = await customers.search_async({"query": "email~'ada'", "page": first.next_page})
    assert (len(rest.data), rest.has_more) == (1, False)
    with pytest.raises(stripe.InvalidRequestError, match="unable to parse"):
        await customers.search_async({"query": "who knows"})
    with pytest.raises(stripe.InvalidRequestError, match="mix AND and OR"):
        await customers.search_async({"query": "email:'a' AND email:'b' OR email:'c'"})
