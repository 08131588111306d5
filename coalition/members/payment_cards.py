"""Finds payment card numbers in free text, where none may be stored (PCI DSS requirement 3)."""

import re

# Digits with at most three separators between any two, as people and till systems write them.
_DIGITS = re.compile(r"\d(?:[\s.,_/\u2010-\u2015-]{0,3}\d){12,}")
_SEPARATORS = re.compile(r"[\s.,_/\u2010-\u2015-]+")


def holds_payment_card(text: str) -> bool:
    """Tell whether `text` holds a number of 13 to 19 digits that begins 2-6 and passes Luhn's test.

    Groups of digits are tried in every unbroken row, so that an expiry date behind a number does
    not hide it. Luhn's test: ISO/IEC 7812-1 annex B.
    """
    return any(
        _is_payment_card(number)
        for run in _DIGITS.finditer(text)
        for number in _numbers_of(_SEPARATORS.split(run.group()))
    )


def _numbers_of(groups: list[str]) -> list[str]:
    numbers = []
    for first in range(len(groups)):
        number = ""
        for group in groups[first:]:
            number += group
            if len(number) > 19:
                break
            numbers.append(number)
    return numbers


def _is_payment_card(number: str) -> bool:
    if len(number) < 13:
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return 2 <= digits[-1] <= 6 and (sum(digits[::2]) + doubled) % 10 == 0
