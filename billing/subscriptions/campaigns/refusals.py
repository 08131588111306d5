"""What is refused of campaigns, and what would be right."""

from coalition.kernel.errors import Conflict, Invalid, NotFound


class UnknownCampaign(NotFound):
    """No campaign has this code; `coalition plan campaign list` names all."""

    code, title = "campaign_not_found", "Campaign not found"


class CampaignExists(Conflict):
    """A campaign has this code already; choose another."""

    code, title = "campaign_exists", "Campaign exists"
    constraint = "a_campaign_has_a_code_of_its_own"


class NothingMoves(Invalid):
    """No price of that version has a like one on sale at another amount.

    Put the new version of the plan on sale first, with the same intervals, currencies and
    eligibilities.
    """

    code, title = "campaign_moves_nothing", "Nothing moves"


class ConsentIsLaw(Invalid):
    """The terms of `country` ask for consent to a rise; write `explicit` there, or nothing."""

    code, title = "campaign_consent_is_law", "Consent needed"


class PricesMoved(Conflict):
    """What is sold has changed since this was proposed; propose it anew."""

    code, title = "campaign_prices_moved", "Prices have changed since"


class CampaignStopped(Conflict):
    """The campaign `campaign` was stopped, for good; propose another for who is left."""

    code, title = "campaign_stopped", "Campaign stopped"


class NothingToAgreeTo(Conflict):
    """No change of your price waits for your consent."""

    code, title = "nothing_to_agree_to", "Nothing to agree to"
