"""A statement's file proves itself, and whatever is changed in it is found."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partners.settlement.statement_file import DrainEnd, Head, Part, Told
from partners.settlement.verifying import DIFFERENCES_MOST, Verdict, verify
from tests.partners.statements import files

replace = msgspec.structs.replace
WHOLE = files.whole()
BYTES = b"".join(WHOLE)


def lines_of(data: bytes) -> list[bytes]:
    """Cut `data` into lines as a file is read."""
    return data.splitlines(keepends=True)


def what_differs(verdict: Verdict) -> set[str]:
    return {difference.what for difference in verdict.differences}


def test_a_statement_worked_out_by_hand_is_proved() -> None:
    verdict = verify(WHOLE)
    assert verdict.differences == []
    assert verdict.ok
    assert verdict.statement is not None
    assert (verdict.statement.number, verdict.statement.period) == (42, "2026-11")
    assert (verdict.drains, verdict.charges) == (2, 7)


def test_the_digest_that_the_partner_was_told_elsewhere_must_be_the_files() -> None:
    named = verify(WHOLE).statement
    assert named is not None
    assert verify(WHOLE, expected_digest=named.digest.upper()).ok
    other = verify(WHOLE, expected_digest="0" * 64)
    assert what_differs(other) == {"the digest of the statement"}


@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255))
@example(len(BYTES) - 1, ord("\n") ^ ord(" "))
@settings(max_examples=400, deadline=None)
def test_any_byte_that_is_changed_is_found(position: int, change: int) -> None:
    changed = bytearray(BYTES)
    changed[position] ^= change
    verdict = verify(lines_of(bytes(changed)))
    assert not verdict.ok
    assert verdict.differences


@given(st.integers(0, len(BYTES) - 1))
@settings(max_examples=100, deadline=None)
def test_a_file_that_is_cut_off_is_found(length: int) -> None:
    assert not verify(lines_of(BYTES[:length])).ok


@pytest.mark.parametrize("line", range(len(WHOLE)))
def test_a_line_that_is_dropped_or_doubled_is_found(line: int) -> None:
    assert not verify(WHOLE[:line] + WHOLE[line + 1 :]).ok
    assert not verify(WHOLE[: line + 1] + WHOLE[line:]).ok


@pytest.mark.parametrize("line", range(len(WHOLE) - 1))
def test_lines_that_are_swapped_are_found(line: int) -> None:
    swapped = [*WHOLE[:line], WHOLE[line + 1], WHOLE[line], *WHOLE[line + 2 :]]
    assert not verify(swapped).ok


# Whoever forges with care also makes the last line anew; the digests and the sums still tell.
def forged(change: Callable[[list[Told]], None]) -> Verdict:
    objects = files.objects()
    change(objects)
    return verify(files.ended(objects))


def change_head(**changes: Any) -> Callable[[list[Told]], None]:  # Any: fields of the head
    def change(objects: list[Told]) -> None:
        assert isinstance(objects[0], Head)
        objects[0] = replace(objects[0], **changes)

    return change


def change_part(**changes: Any) -> Callable[[list[Told]], None]:  # Any: fields of a part
    def change(objects: list[Told]) -> None:
        assert isinstance(objects[1], Part)
        objects[1] = replace(objects[1], **changes)

    return change


def _first_part() -> Part:
    first = files.objects()[1]
    assert isinstance(first, Part)
    return first


@pytest.mark.parametrize(
    "changes",
    [
        {"charges": [(files.posting(1), 901), (files.posting(2), 300)]},
        {"charges": [(files.posting(2), 900), (files.posting(1), 300)]},
        {"charges": [(files.posting(1), 900)]},
        {"charges": [(files.posting(1), 900), (files.posting(5), 300)]},
        {"unit_price": Decimal("0.011")},
        {"counts_points": False},
        {"vat_code": "R"},
        {"vat_rate": Decimal("0.06")},
        {"kind": "promotion"},
        {"contract_no": 8},
        {"currency": "SEK"},
        {"origin_no": 10},
        {"drain": files.DRAINS[1]},
    ],
    ids=str,
)
def test_charges_that_are_forged_do_not_fit_their_digest(changes: dict[str, Any]) -> None:
    verdict = forged(change_part(**changes))
    assert what_differs(verdict) & {"the digest of a drain", "the drain of some charges"}


@pytest.mark.parametrize("no", range(len(files.LINES)))
@pytest.mark.parametrize("field", ["points", "charges", "exact", "amount_minor", "vat_minor"])
def test_a_line_that_is_forged_does_not_follow_from_the_charges(no: int, field: str) -> None:
    frozen = files.head("0" * 64).lines
    lines = [*frozen]
    lines[no] = replace(lines[no], **{field: getattr(lines[no], field) + 1})
    verdict = forged(change_head(lines=lines))
    assert what_differs(verdict) == {f"{field} of line {no + 1} of the statement"}


def test_a_line_that_is_missing_or_made_up_is_named() -> None:
    lines = files.head("0" * 64).lines
    assert what_differs(forged(change_head(lines=lines[:-1]))) == {"line 8 of the statement"}
    more = [*lines, replace(lines[-1], no=9)]
    assert what_differs(forged(change_head(lines=more))) == {"line 9 of the statement"}


@pytest.mark.parametrize(
    "field", ["amount_minor", "vat_minor", "net_minor", "points_funded", "points_redeemed"]
)
def test_a_total_that_is_forged_does_not_follow_from_the_lines(field: str) -> None:
    (total,) = files.head("0" * 64).totals
    forged_total = replace(total, **{field: getattr(total, field) + 1})
    verdict = forged(change_head(totals=[forged_total]))
    assert what_differs(verdict) == {f"{field} of the total in EUR"}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"adjustments": []}, "line 4 of the statement"),
        ({"earlier_fees": []}, "exact of line 8 of the statement"),
        ({"standing": None}, "line 8 of the statement"),
        ({"versions": [replace(files.CONTRACT, volume_steps=())]}, "exact of line 3"),
        ({"versions": [replace(files.CONTRACT, minimum_fee_minor=900)]}, "exact of line 5"),
        ({"versions": []}, "a line of the file"),
        ({"charges": 7}, "the number of charges"),
        ({"partner_no": 4}, "the digest of the statement"),
        ({"period_no": 12}, "the digest of the statement"),
        ({"digest": "0" * 64}, "the digest of the statement"),
        ({"format": 2}, "the format of the file"),
    ],
    ids=str,
)
def test_what_a_statement_was_made_of_cannot_be_changed_alone(
    changes: dict[str, Any], where: str
) -> None:
    assert [what for what in what_differs(forged(change_head(**changes))) if where in what]


def test_drains_come_in_the_order_of_their_chain() -> None:
    def change(objects: list[Told]) -> None:
        ends = [no for no, one in enumerate(objects) if isinstance(one, DrainEnd)]
        objects[1:] = objects[ends[0] + 1 :] + objects[1 : ends[0] + 1]

    assert what_differs(forged(change)) == {"the order of drains", "the digest of the statement"}


def test_a_drain_that_is_left_out_breaks_the_chain() -> None:
    def change(objects: list[Told]) -> None:
        ends = [no for no, one in enumerate(objects) if isinstance(one, DrainEnd)]
        del objects[ends[0] + 1 :]

    assert "the digest of the statement" in what_differs(forged(change))


def test_parts_without_their_digest_are_found() -> None:
    def change(objects: list[Told]) -> None:
        objects.pop()

    assert "a drain without its digest" in what_differs(forged(change))


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity"])
def test_a_price_that_is_no_number_is_found(price: str) -> None:
    assert not forged(change_part(unit_price=Decimal(price))).ok


@pytest.mark.parametrize("price", ["1E+1000000000", "-1E-1000000000", "0E+1000000000"])
def test_a_price_that_nobody_could_write_out_ends_the_reading(price: str) -> None:
    line = WHOLE[1].replace(b'"unit_price":"0.01"', b'"unit_price":"%b"' % price.encode())
    assert line != WHOLE[1]
    verdict = verify([WHOLE[0], line, *WHOLE[2:]])
    assert what_differs(verdict) == {"a line of the file"}


def test_terms_that_nobody_could_write_out_end_the_reading() -> None:
    head = WHOLE[0].replace(b'"fee_per_point":"0.0005"', b'"fee_per_point":"1E+1000000000"')
    assert head != WHOLE[0]
    assert what_differs(verify([head, *WHOLE[1:]])) == {"a line of the file"}


def test_a_kind_that_is_none_ends_the_reading() -> None:
    verdict = forged(change_part(kind="gift"))
    assert what_differs(verdict) == {"the kind of a charge"}


def test_an_empty_file_and_one_without_a_head_are_no_statements() -> None:
    assert verify([]).statement is None
    assert not verify([]).ok
    assert what_differs(verify(WHOLE[1:])) == {"the order of the file"}


def test_a_file_of_many_differences_is_given_up() -> None:
    part = files.objects()[1]
    other = [replace(part, drain=files.posting(no)) for no in range(200)]
    verdict = verify(files.ended([files.objects()[0], *other]))
    assert len(verdict.differences) <= DIFFERENCES_MOST


def test_terms_and_lines_that_are_forged_together_do_not_fit_the_digest() -> None:
    """Whoever takes the minimum down and the line with it must change the digest as well."""
    lines = files.head("").lines
    lines[4] = replace(lines[4], exact=Decimal("2.9"), amount_minor=290)
    (total,) = files.head("").totals
    verdict = forged(
        change_head(
            versions=[replace(files.CONTRACT, minimum_fee_minor=900)],
            lines=lines,
            totals=[replace(total, amount_minor=1459, net_minor=1485)],
        )
    )
    assert what_differs(verdict) == {"the digest of the statement"}
