"""The sandbox of Stripe, whose time machine moves the whole house, is not left open to others."""

import dataclasses

import pytest

from server.house import sheltered
from tests.support.http import SETTINGS

OPEN = dataclasses.replace(SETTINGS, stripe_sandbox=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_on_this_machine_alone_the_sandbox_is_there(host: str) -> None:
    assert sheltered(OPEN, host, {}).stripe_sandbox


@pytest.mark.parametrize("host", ["::", "10.0.0.7"])
def test_where_others_reach_us_it_is_there_only_for_whoever_asks(host: str) -> None:
    assert not sheltered(OPEN, host, {}).stripe_sandbox
    assert sheltered(OPEN, host, {"COALITION_STRIPE_SANDBOX": "1"}).stripe_sandbox
    assert sheltered(SETTINGS, host, {}) is SETTINGS
