"""The digests under which contacts are stored: keyed, kept apart by kind, cheap to compare."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalition.members.blind_index import card_digest, contact_digest
from coalition.members.contacts import ContactKind, bucket_of_digest
from coalition.members.refusals import InvalidCard

KEY = b"i" * 32


def test_a_digest_is_hmac_sha_256_of_kind_and_normal_value_cut_to_16_bytes() -> None:
    expected = hmac.new(KEY, b"card\x0097520001", hashlib.sha256).digest()[:16]
    assert card_digest(KEY, "9752-0001") == expected
    assert contact_digest(KEY, ContactKind.CARD, "9752 0001") == expected


def test_another_key_gives_another_digest() -> None:
    assert card_digest(KEY, "97520001") != card_digest(b"j" * 32, "97520001")


def test_kinds_do_not_meet() -> None:
    phone = contact_digest(KEY, ContactKind.PHONE, "+46701234567")
    assert phone != contact_digest(KEY, ContactKind.CARD, "46701234567")


@given(st.binary(min_size=16, max_size=16))
def test_the_bucket_of_a_digest_is_its_last_ten_bits(digest: bytes) -> None:
    assert bucket_of_digest(digest) == int.from_bytes(digest, "big") & 1023


def test_a_card_that_is_none_has_no_digest() -> None:
    with pytest.raises(InvalidCard):
        card_digest(KEY, "abc")
