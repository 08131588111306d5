"""Why an act may not be done, in plain English."""

WHO = {"actor": "You", "receiver": "The receiver", "head": "The head"}
WHOSE = {"actor": "Your", "receiver": "The receiver's", "head": "The head's"}

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)

NOUNS = {
    "points": ("point", "points"),
    "days": ("day", "days"),
    "hours": ("hour", "hours"),
    "years": ("year", "years"),
    "times": ("time", "times"),
    "members": ("member", "members"),
    "adults": ("adult", "adults"),
    "minors": ("minor", "minors"),
    "infants": ("infant", "infants"),
    "nominees": ("nominee", "nominees"),
    "groups": ("group", "groups"),
}

RULES = {
    "mechanism": "These rules let nobody move points in this way",
    "direction.child_to_parent": "A child sends points to a parent, and nobody else does",
    "direction.member_to_head": "Points go only from members of a group to its head",
    "direction.within_group": "Points go only between members of one group",
    "group.max": "The group has room for {limit_noun}; {used} belong to it or are invited",
    "group.min": "The group needs at least {limit_noun} for that; it has {used}",
    "group.groups_per_member": "You can belong to {limit_groups} of this kind at a time",
    "group.minors_only_in_group": "Whoever is younger than {limit} takes part only in a group",
    "group.separating": "The group is being separated, and nothing moves until that is settled",
    "group.spend.scope.none": "Your role in the group does not let you spend points",
    "group.spend.scope.own": "Your role in the group lets you spend only your own points",
    "group.spend.only_for_self": "You can spend the points only for yourself",
    "group.spend.revocable": "The head has taken away your right to spend the group's points",
    "group.spend.by_grant": "The head has not yet given you the right to spend the group's points",
    "eligibility.relationships": "It is possible only between relatives of these kinds: {limit}",
    "eligibility.evidence": "It has to be proved first how you are related",
    "eligibility.address.same": "Both have to live at the same address",
    "eligibility.address.registered_same": "Both have to be registered at the same address",
    "eligibility.countries": "{who} must live in one of these countries: {limit}",
    "eligibility.min_age": "{who} must be at least {limit_years} old",
    "eligibility.max_age": "{who} must be at most {limit_years} old",
    "eligibility.tiers": "{who} must have one of these tiers: {limit}",
    "eligibility.plans": "{who} must have one of these memberships: {limit}",
    "eligibility.segments": "{who} must be among those whom this is for",
    "eligibility.identity_verified": "{whose} identity must be verified",
    "eligibility.name_match": "The name must be the receiver's, as it is registered",
    "eligibility.good_standing": "{whose} account must be in good standing",
    "eligibility.min_account_days": "{who} must have been a member for {limit_days}",
    "eligibility.min_active_months": "{who} must have earned points in {limit} of the last twelve "
    "months",
    "eligibility.min_earned": "{who} must have earned at least {limit_points}",
    "eligibility.min_balance": "{who} must have at least {limit_points}",
    "join.cooldown_days": "Between leaving a group and joining another there must be {limit_days}",
    "join.slot_cooldown_days": "The place of somebody who has left stays empty for {limit_days}",
    "join.lock_in_days": "A member stays in the group for at least {limit_days}",
    "join.freeze_hours": "A new member waits {limit_hours} before the group's points are spent",
    "contribution.manual": "Nobody brings points into this group by hand",
    "contribution.lots": "Only {limit_points} of yours can be brought in; it was {used}",
    "contribution.future_percent": "The share must be one of these percentages: {limit}",
    "transfer.min": "You must send at least {limit_points} at once; it was {used}",
    "transfer.max": "You can send at most {limit_points} at once; it was {used}",
    "transfer.step": "The number of points must be a multiple of {limit}; it was {used}",
    "transfer.purpose": "Say which reward the points are for",
    "transfer.may_move_on": "Points that you have received cannot be sent on; {limit_points} of "
    "yours can; it was {used}",
    "transfer.lots": "Only {limit_points} of yours can be sent; it was {used}",
    "fees.brackets": "There is no price for more than {limit_points}; it was {used}",
    "exits.self_removal": "Only the head can take a member out of the group",
    "control.step_up_above": "Sign in again to move more than {limit_points}",
    "control.blackouts": "No points move up to and including {limit_date}",
    "balance": "{limit_points} can be spent, and {used} are needed",
    "limit": "At most {limit} are allowed here",
    "other": "A rule does not allow it",
}

OWN = {
    "eligibility.min_age": "you are {used}",
    "eligibility.max_age": "you are {used}",
    "eligibility.min_account_days": "so far it is {used_days}",
    "eligibility.min_active_months": "so far it is {used}",
    "eligibility.min_earned": "so far it is {used_points}",
    "eligibility.min_balance": "you have {used}",
}

AMOUNTS = {
    "transfer.sender": "You can send",
    "transfer.receiver": "The receiver can receive",
    "transfer.pair": "You can send this member",
    "transfer.group": "Your group can send",
    "contribute.member": "You can bring in",
    "contribute.group": "Your group can take in",
    "redeem.member": "You can spend",
    "redeem.group": "Your group can spend",
}

COUNTS = {
    "transfer.sender": "You can send points",
    "transfer.receiver": "The receiver can receive points",
    "transfer.pair": "You can send points to this member",
    "transfer.group": "Your group can send points",
    "contribute.member": "You can bring in points",
    "contribute.group": "Your group can take in points",
    "join.member": "You can join a group",
    "join.group": "Somebody can join the group",
    "leave.member": "You can leave a group",
    "leave.group": "Somebody can leave the group",
    "change.member": "You can change something in a group",
    "change.group": "The group can be changed",
    "card.member": "You can have a card made",
    "card.group": "The group can have a card made",
    "redeem.member": "You can spend points",
    "redeem.group": "Your group can spend points",
}

OTHERS = {
    "transfer.sender": "You can send points to one more member",
    "transfer.receiver": "The receiver can receive points from one more member",
    "transfer.group": "One more member of your group can send points",
}

FRAMES = {
    "more": "{number} more {noun}",
    "some_more": "more points",
    "amount.then": "{can} {more} from {then}: at most {limit_points} {window}",
    "amount.left": "Until then {remaining_points} are left",
    "amount": "{can} at most {limit_points} {window}",
    "count.then": "{can} again from {then}: at most {limit_times} {window}",
    "count": "{can} at most {limit_times} {window}",
    "others.then": "{can} from {then}: at most {limit} different ones {window}",
    "others": "At most {limit} different members {window}",
    "so_far": "{used} so far",
    "then": "Possible from {then}",
    "day": "{day} {month}",
    "year": "{date} {year}",
    "clock": "{date} at {hour:02}:{minute:02}",
}
