"""What was signed, altered."""


def altered(signed: str) -> str:
    """Return `signed` with another first character, which no signature survives.

    Not the last: some bits of a last character in base64 mean nothing.
    """
    return ("B" if signed.startswith("A") else "A") + signed[1:]
