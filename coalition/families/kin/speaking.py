"""Who acts: a member for itself, a guardian for a minor, or the operator's staff."""

from typing import NamedTuple
from uuid import UUID

from coalition.families.kin.group_refusals import HeadOnly, StaffOnly
from coalition.families.kin.places import GroupRow


class By(NamedTuple):
    """Whoever does something; `member` is None for staff and for what runs by the clock."""

    member: UUID | None
    name: str
    """As the audit log calls it: `member:…`, `staff:…`, `system:…`."""

    @classmethod
    def of(cls, member: UUID) -> "By":
        """Return a member who acts in its own name."""
        return cls(member, f"member:{member}")

    @classmethod
    def staff(cls, name: str) -> "By":
        """Return somebody of the staff, called `staff:…`, or a job, called `system:…`."""
        return cls(None, name)

    @property
    def is_staff(self) -> bool:
        """Tell whether nobody's own membership is behind this."""
        return self.member is None


def check_head(group: GroupRow, by: By) -> None:
    """Refuse whoever is neither the head of the group nor staff."""
    if not by.is_staff and by.member != group.head:
        raise HeadOnly


def check_staff(by: By) -> None:
    """Refuse members."""
    if not by.is_staff:
        raise StaffOnly
