"""What members are told of their memberships, in English."""

ENGLISH: dict[str, str] = {
    "each.month": "{price} a month",
    "each.year": "{price} a year",
    "trial_ends.subject": "Your trial of {plan} ends on {ends}",
    "trial_ends.body": (
        "Your free trial of {plan} ends on {ends}. From then on it costs {price}, and you "
        "need to do nothing to keep it.\n\n"
        "If you do not want to go on, cancel before {ends}. That costs nothing and takes "
        "two clicks."
    ),
    "renews.subject": "{plan} renews on {ends}",
    "renews.body": (
        "{plan} renews on {ends}, for {price}.\n\n"
        "If you do not want to go on, cancel before {ends}; you keep {plan} until then."
    ),
    "price_notice.subject": "A new price for {plan} from {applies}",
    "price_notice.body": (
        "The price of {plan} changes.\n\n"
        "Until now: {old}\n"
        "From {applies}: {new}\n\n"
        "You need to do nothing to go on. If you do not want the new price, cancel before "
        "{applies}: you pay the old one until then, and nothing after."
    ),
    "price_asked_ends.subject": "Do you agree to a new price for {plan}?",
    "price_asked_ends.body": (
        "The price of {plan} is to change, if you agree.\n\n"
        "Until now: {old}\n"
        "From {applies}: {new}\n\n"
        "Please say yes on the page of your membership by {agree_by}. If you do not, "
        "{plan} ends on {applies}, and you pay nothing more. You can also cancel there at "
        "any time."
    ),
    "price_asked_stays.subject": "Do you agree to a new price for {plan}?",
    "price_asked_stays.body": (
        "We would like to change the price of {plan}, if you agree.\n\n"
        "Until now: {old}\n"
        "From {applies}: {new}\n\n"
        "Please say yes on the page of your membership by {agree_by}. If you do not, the "
        "old price stays. You can also cancel there at any time."
    ),
    "price_not_agreed.subject": "{plan} ends on {applies}",
    "price_not_agreed.body": (
        "You have not agreed to the new price of {plan}, so it ends on {applies}. You pay "
        "nothing more, and need to do nothing."
    ),
    "special_price_ends.subject": "Your special price for {plan} ends on {applies}",
    "special_price_ends.body": (
        "We no longer have a proof for your special price. From {applies} {plan} costs "
        "{price}.\n\n"
        "If you do not want that, cancel before {applies}. If it is a mistake, tell us "
        "before then."
    ),
    "payment_failed.subject": "We could not charge you for {plan}",
    "payment_failed.body": (
        "A payment of {amount} for {plan} did not go through.\n\n"
        "Your benefits last until {until}. To keep them, pay or change your card before "
        "then, on the page of your membership."
    ),
    "payment_failed_now.subject": "{plan} waits for a payment",
    "payment_failed_now.body": (
        "A payment of {amount} for {plan} did not go through, so its benefits rest.\n\n"
        "To have them again, pay or change your card on the page of your membership."
    ),
    "ended.subject": "{plan} has ended",
    "ended.body": (
        "{plan} ended on {ended}. You are charged nothing more, and your points stay "
        "yours.\n\n"
        "You may come back whenever you like."
    ),
    "order.subject": "Your order of {plan}",
    "order.body": (
        "Thank you for your order of {ordered}.\n\n"
        "{plan}: {price}\n\n"
        "{trial}\n\n"
        "{withdrawal}\n\n"
        "You can cancel at any time on the page of your membership, and keep what you have "
        "paid for.\n\n"
        "You were shown this before you ordered (version {version}):\n\n"
        "{text}"
    ),
    "order.trial": "It is free until {ends}; you are charged for the first time then.",
    "order.withdrawal": (
        "You may withdraw from this order until the end of {until}, without a reason, on "
        "the page of your membership or without signing in."
    ),
    "trial_refused.subject": "No second trial of {plan}",
    "trial_refused.body": (
        "You, your card or your household had a free trial before, so your order of {plan} "
        "was ended. You were charged nothing.\n\n"
        "You may order without a trial."
    ),
    "cancelled.subject": "You have cancelled {plan}",
    "cancelled.body": (
        "We received your cancellation on {done}.\n\n"
        "{plan} ends on {ends}. You are charged nothing more. Until then you can change "
        "your mind on the page of your membership."
    ),
    "cancelled_now.subject": "You have cancelled {plan}",
    "cancelled_now.body": (
        "We received your cancellation on {done}.\n\n"
        "{plan} has ended. You are charged nothing more."
    ),
    "uncancelled.subject": "{plan} goes on",
    "uncancelled.body": (
        "You have taken back your cancellation of {plan} on {done}. It goes on as before, "
        "at the same price."
    ),
    "paused.subject": "{plan} is paused",
    "paused.body": (
        "You have paused {plan} on {done}. You keep it for as long as you have paid, and "
        "are not charged until {until}. From then on it goes on by itself.\n\n"
        "You can end the pause at any time on the page of your membership."
    ),
    "resumed.subject": "{plan} goes on",
    "resumed.body": (
        "You have ended the pause of {plan} on {done}. It goes on, and so do the payments."
    ),
    "withdrawn.subject": "Your withdrawal from {plan}",
    "withdrawn.body": (
        "We received your withdrawal on {done}, and {plan} has ended.\n\n"
        "You get back {refund}, the way you paid. Banks take a few days."
    ),
    "refunded.subject": "You get {amount} back",
    "refunded.body": (
        "We give you back {amount} of what you have paid for {plan}, the way you paid. "
        "Banks take a few days."
    ),
    "price_agreed.subject": "You have agreed to the new price of {plan}",
    "price_agreed.body": (
        "On {done} you have agreed that {plan} costs {new} from your first renewal on or "
        "after {applies}.\n\n"
        "You can cancel before then, and pay the old price until it ends."
    ),
    "gift_paid.subject": "Your gift is paid",
    "gift_paid.body": (
        "Thank you. You have paid {price} for {months} months of {plan} to give away.\n\n"
        "The code is on your page of gifts: hand it to whoever is to have them. It can be "
        "redeemed until {until}. We keep no copy of it and send it to nobody."
    ),
    "gift_redeemed.subject": "Your gift was redeemed",
    "gift_redeemed.body": "Somebody has redeemed your gift of {months} months of {plan}.",
    "gift_received.subject": "{months} months of {plan} for you",
    "gift_received.body": (
        "You have redeemed a gift: {plan} from {begins} until {ends}. It ends by itself, "
        "and you are charged nothing."
    ),
    "gift_put_off.subject": "{months} months of {plan} for you",
    "gift_put_off.body": (
        "You have redeemed a gift of {months} months of {plan}. They follow what you have "
        "paid, and your next payment is on {ends}."
    ),
    "seat_given.subject": "You share {plan} now",
    "seat_given.body": (
        "Somebody in your family shares {plan} with you. You have its benefits from now "
        "on, pay nothing, and may give it up at any time."
    ),
    "seat_ended.subject": "You do not share {plan} any more",
    "seat_ended.body": (
        "{plan} was shared with you by somebody in your family until {ended}. Its benefits "
        "have ended for you; your points stay yours."
    ),
    "seat_given_up.subject": "A seat of your {plan} is free again",
    "seat_given_up.body": (
        "Somebody with whom you shared {plan} has given the seat up. You may share it with "
        "somebody else of your family."
    ),
    "fee_due.subject": "A fee of {amount} waits for you",
    "fee_due.body": (
        "What you wanted to do in your family costs {amount}. It waits until you have "
        "paid, on the page of your fees."
    ),
    "fee_returned.subject": "You get {amount} back",
    "fee_returned.body": (
        "Nothing has come of what you paid {amount} for in your family, so you get it back "
        "the way you paid. Banks take a few days."
    ),
}
