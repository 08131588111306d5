"""Short ways to members and what becomes of them, for tests of their later days."""

from datetime import datetime

from coalition.kernel.ids import MemberId
from coalition.members import service
from coalition.members.personal import Enrolment
from coalition.members.sealing import MemberKeys

ANNA, BERTIL = "staff:anna", "staff:bertil"
KEYS = MemberKeys(blind_index_key=b"i" * 32, master_key=b"m" * 32)


async def enrolled(at: datetime, *, partner_no: int = 1, **person: object) -> MemberId:
    """Return a new member, enrolled by the partner with the contacts and names given."""
    enrolment = Enrolment(**person)  # type: ignore[arg-type]  # whatever the test knows of a person
    made = await service.enrol(enrolment, partner_no=partner_no, keys=KEYS, at=at)
    return made.member_id
