"""Languages of the pages: which one a browser asks for."""

from coalition.messages.wording import LANGUAGES, Wording

__all__ = ["NAMES", "Wording", "asked_for"]

NAMES = {"en": "English", "sv": "Svenska", "nb": "Norsk"}
_ALSO = {"no": "nb", "nn": "nb"}


def asked_for(chosen: str | None, accepted: str, otherwise: str) -> str:
    """Return the language that was chosen, or the first known one that the browser accepts.

    `accepted` is the value of Accept-Language (RFC 9110 §12.5.4); `otherwise` where nothing fits.
    """
    if chosen in LANGUAGES:
        return chosen
    ranges = [_range(part) for part in accepted[:200].split(",")]
    for code, weight in sorted(ranges, key=lambda one: -one[1]):
        language = _ALSO.get(code, code)
        if language in LANGUAGES and weight > 0:
            return language
    return otherwise


def _range(part: str) -> tuple[str, float]:
    code, _, quality = part.strip().partition(";q=")
    try:
        weight = float(quality) if quality else 1.0
    except ValueError:
        weight = 0.0
    return code.partition("-")[0].lower(), weight
