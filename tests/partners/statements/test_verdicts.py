"""What a verdict says of a file that does not hold: where, what is told and what was found."""

from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from partners.settlement import statement_file
from partners.settlement.statement_file import DrainEnd, End, Head, Part, Told
from partners.settlement.verifying import DIFFERENCES_MOST, Difference, Verdict, verify
from tests.partners.statements import files

replace = msgspec.structs.replace
WHOLE = files.whole()
ENDS = [no for no, one in enumerate(files.objects()) if isinstance(one, DrainEnd)]
LAST = len(WHOLE)
NOUGHT = "0" * 64


def head() -> Head:
    first = files.objects()[0]
    assert isinstance(first, Head)
    return first


def end_of_drain(no: int) -> DrainEnd:
    found = files.objects()[ENDS[no]]
    assert isinstance(found, DrainEnd)
    return found


def with_object(position: int, other: Told) -> Verdict:
    """Return the verdict on the file with one other object, and an end made for it."""
    objects = files.objects()
    objects[position] = other
    return verify(files.ended(objects))


@pytest.mark.parametrize("position", range(LAST + 1))
def test_a_line_that_cannot_be_read_is_told_wherever_it_stands(position: int) -> None:
    verdict = verify([*WHOLE[:position], b"nonsense\n", *WHOLE[position:]])
    [difference] = verdict.differences
    assert (difference.line, difference.what) == (position + 1, "a line of the file")
    assert difference.told == ""
    assert difference.found.startswith("it cannot be read: ")


@pytest.mark.parametrize("line", range(LAST))
def test_nothing_follows_the_end(line: int) -> None:
    assert verify([*WHOLE, WHOLE[line]]).differences == [
        Difference(LAST + 1, "the order of the file", "", "a line that does not belong here")
    ]


def test_an_end_alone_is_no_file() -> None:
    assert verify([WHOLE[-1]]).differences == [
        Difference(1, "the order of the file", "", "a line that does not belong here")
    ]


@pytest.mark.parametrize("expected", [None, NOUGHT])
def test_of_an_empty_file_no_more_is_told_than_that_there_should_be_more(
    expected: str | None,
) -> None:
    assert verify([], expected_digest=expected).differences == [
        Difference(0, "the end of the file", "nothing", "there should be more")
    ]


def test_the_format_of_the_file_is_told() -> None:
    assert with_object(0, replace(head(), format=2)).differences == [
        Difference(1, "the format of the file", "2", "1")
    ]


def test_the_digest_of_the_file_is_told_and_that_of_elsewhere_found() -> None:
    assert verify(WHOLE, expected_digest=NOUGHT).differences == [
        Difference(LAST, "the digest of the statement", head().digest, NOUGHT)
    ]
    assert with_object(0, replace(head(), digest=NOUGHT)).differences == [
        Difference(LAST, "the digest of the statement", NOUGHT, head().digest)
    ]


def test_a_digest_names_the_drain_whose_charges_come_before_it() -> None:
    later = UUID("019aa000-0000-7000-8000-000000000009")
    assert with_object(ENDS[1], replace(end_of_drain(1), drain=later)).differences == [
        Difference(ENDS[1] + 1, "the drain of a digest", str(later), str(files.DRAINS[1]))
    ]


def test_the_charges_of_a_drain_stand_together() -> None:
    second = files.objects()[2]
    assert isinstance(second, Part)
    assert with_object(2, replace(second, drain=files.DRAINS[1])).differences == [
        Difference(3, "the drain of some charges", str(files.DRAINS[1]), str(files.DRAINS[0]))
    ]


def test_one_drain_comes_once() -> None:
    drain = files.DRAINS[0]
    objects = [
        replace(one, drain=drain) if isinstance(one, Part | DrainEnd) else one
        for one in files.objects()
    ]
    assert verify(files.ended(objects)).differences == [
        Difference(ENDS[1] + 1, "the order of drains", str(drain), f"after {drain}")
    ]


def test_the_digest_of_a_drain_is_told_and_made_again() -> None:
    assert with_object(ENDS[0], replace(end_of_drain(0), digest=NOUGHT)).differences == [
        Difference(ENDS[0] + 1, "the digest of a drain", NOUGHT, end_of_drain(0).digest)
    ]


def test_charges_without_a_digest_name_their_drain() -> None:
    differences = verify(files.ended(files.objects()[:-1])).differences
    assert (
        Difference(LAST - 1, "a drain without its digest", str(files.DRAINS[1]), "None")
        in differences
    )


def test_the_last_line_is_told_as_it_stands_and_found_as_it_would_be_written() -> None:
    spaced = WHOLE[-1].replace(b":", b": ", 1)
    assert verify([*WHOLE[:-1], spaced]).differences == [
        Difference(LAST, "the last line", str(spaced), str(WHOLE[-1]))
    ]
    right = msgspec.json.decode(WHOLE[-1])["sha256"]
    wrong = statement_file.written(End(NOUGHT))
    assert verify([*WHOLE[:-1], wrong]).differences == [
        Difference(LAST, "the bytes of the file", NOUGHT, right)
    ]


def test_how_many_charges_there_are_is_told_and_counted() -> None:
    assert with_object(0, replace(head(), charges=7)).differences == [
        Difference(LAST, "the number of charges", "7", "8")
    ]


def test_a_line_and_a_total_are_told_and_made_again() -> None:
    lines, (total,) = head().lines, head().totals
    lines[1] = replace(lines[1], amount_minor=-284)
    forged = replace(head(), lines=lines, totals=[replace(total, net_minor=1584)])
    assert with_object(0, forged).differences == [
        Difference(LAST, "amount_minor of line 2 of the statement", "-284", "-283"),
        Difference(LAST, "net_minor of the total in EUR", "1584", "1585"),
    ]


def test_a_line_that_only_the_file_or_only_the_charges_have_is_told_so() -> None:
    lines, other = head().lines, "it is the other way round"
    assert with_object(0, replace(head(), lines=lines[:-1])).differences == [
        Difference(LAST, "line 8 of the statement", "there is none", other)
    ]
    more = [*lines, replace(lines[-1], no=9)]
    assert with_object(0, replace(head(), lines=more)).differences == [
        Difference(LAST, "line 9 of the statement", "there is one", other)
    ]


def test_reading_ends_with_the_hundredth_difference() -> None:
    part = files.part(0, "issuance", "0.01", [(1, 900), (2, 300)])
    others = [replace(part, drain=files.posting(no)) for no in range(200)]
    verdict = verify(files.ended([head(), *others]))
    assert len(verdict.differences) == DIFFERENCES_MOST
    # The first one names the drain, from which the others differ.
    assert verdict.charges == 2 * (DIFFERENCES_MOST + 1)


def found_of(verdict: Verdict, what: str) -> list[str]:
    return [one.found for one in verdict.differences if one.what == what]


def test_points_that_are_paid_in_two_parts_are_counted_once() -> None:
    one, other = (
        replace(files.part(0, "issuance", price, [(1, 900), (2, 300)]), counts_points=counts)
        for price, counts in (("0.006", True), ("0.004", False))
    )
    verdict = verify(files.ended(files.objects([one, other, *files.PARTS[1:]])))
    assert found_of(verdict, "points of line 1 of the statement") == []
    assert found_of(verdict, "exact of line 1 of the statement") == []
    assert found_of(verdict, "charges of line 1 of the statement") == ["4"]


def test_an_amount_keeps_every_digit_that_the_book_can_hold() -> None:
    price = "123456789012.123456789012"
    dear = files.part(0, "issuance", price, [(1, 1234567891)])
    verdict = verify(files.ended(files.objects([dear, *files.PARTS[1:]])))
    [found] = found_of(verdict, "exact of line 1 of the statement")
    assert Decimal(found) == Decimal("152415787640329229479.640176813692")
