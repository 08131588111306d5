"""The secrets of a made-up coalition."""

import pytest

from coalition.members.sealing import MemberKeys


@pytest.fixture
def keys() -> MemberKeys:
    """Return the two keys that a deployment keeps outside its database."""
    return MemberKeys(blind_index_key=b"i" * 32, master_key=b"m" * 32)
