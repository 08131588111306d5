"""Receipts as what one keeps: what was declared, when to the second, and by which clock."""

from billing.subscriptions.views import Receipt
from member_ui.visit import Visit

Rows = list[tuple[str, str]]


def rows_of(visit: Visit, receipt: Receipt, names: dict[str, str]) -> Rows:
    """Return what a receipt says, each with its name, in the language of the visit."""
    say, w = visit.wording.say, visit.wording
    rows = [
        (say("receipt.declared"), say(f"declared.{receipt.kind}")),
        (say("receipt.when"), w.exact(receipt.at)),
        (say("receipt.plan"), names.get(receipt.plan, receipt.plan)),
    ]
    if receipt.ends_at is not None:
        rows.append((say("m.ends"), w.exact(receipt.ends_at)))
    if receipt.paused_until is not None:
        rows.append((say("m.paused"), w.day(receipt.paused_until)))
    if receipt.new_price is not None and receipt.applies_at is not None:
        new = f"{w.money(receipt.new_price)}, {w.day(receipt.applies_at)}"
        rows.append((say("price.new"), new))
    if receipt.refund is not None:
        rows.append((say("withdraw.refund"), w.money(receipt.refund)))
    if receipt.reason is not None:
        rows.append((say("cancel.reason"), receipt.reason))
    if receipt.text_version is not None:
        rows.append((say("receipt.terms"), receipt.text_version))
    rows.append((say("m.reference"), str(receipt.membership_id)))
    rows.append((say("receipt.number"), str(receipt.receipt_id)))
    return rows


def text_of(visit: Visit, receipt: Receipt, names: dict[str, str]) -> str:
    """Return a receipt as a text file, which says the same as its page."""
    title = visit.wording.say(f"receipt.{receipt.kind}")
    lines = [visit.coalition, title, "=" * len(title), ""]
    lines += [f"{name}: {value}" for name, value in rows_of(visit, receipt, names)]
    return "\n".join(lines) + "\n"


def name_of(receipt: Receipt) -> str:
    """Return the name of the file."""
    return f"{receipt.kind}-{receipt.at:%Y-%m-%d}.txt"
