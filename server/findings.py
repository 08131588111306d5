"""What one check of the doctor found."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """What one check found; `mend` says what to do where it is not `ok`."""

    check: str
    ok: bool
    found: str
    mend: str = ""
