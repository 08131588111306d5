"""Whether points of a lot live, and where they pay: conditions that statements over lots share."""

# Whether points of a lot can be spent, for statements whose first argument is today. A lot without
# a clock is asked for nothing else; and only what has ended is asked for a suspension.
CLOCK = """(SELECT live_until FROM holder_clock
     WHERE holder_clock.bucket = lot.bucket AND holder_clock.holder = lot.holder
       AND holder_clock.currency_no = lot.currency_no AND holder_clock.clock_no = lot.clock_no)"""

ENDED = f"""(
    coalesce(lot.expires_on < $1 OR (lot.clock_no <> 0 AND {CLOCK} < $1), false)
    AND (SELECT expiry_suspended_until FROM holder
         WHERE holder.bucket = lot.bucket AND holder.id = lot.holder) >= $1 IS NOT TRUE
    AND (SELECT until FROM kept_share
         WHERE kept_share.bucket = lot.bucket AND kept_share.holder = lot.holder
           AND kept_share.contributor = lot.contributor) >= $1 IS NOT TRUE)"""  # noqa: S608 - our own conditions
"""That the points of `lot` have ended by the day `$1`: they cannot be spent, and are booked."""

# The ids of a holder's lots begin with the day they end, so those that have ended are not read at
# all, unless expiry is suspended for the holder, or may be for what somebody brought.
ASKED = "LEFT JOIN holder ON holder.bucket = given.bucket AND holder.id = given.holder"
FIRST = """CASE WHEN holder.keeps_shares OR holder.expiry_suspended_until >= $1
    THEN given.lowest ELSE given.spendable END"""
LIVE = f"""(CASE WHEN holder.keeps_shares THEN NOT {ENDED}
    ELSE lot.clock_no = 0 OR holder.expiry_suspended_until >= $1 OR {CLOCK} < $1 IS NOT TRUE END)"""

OPEN_HERE = """(lot.class_no <= 1 OR given.partner_no = 0 OR (
    SELECT spend_on IS NULL OR given.partner_no = ANY (spend_on)
           OR (at_issuer AND lot.issuer_no = given.partner_no)
    FROM lot_class WHERE lot_class.no = lot.class_no))"""
"""That points of `lot` can be spent at the partner of `given`: see `classes`."""
