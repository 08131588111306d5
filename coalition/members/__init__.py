"""People who collect points: enrolment, cards, blind look-up, personal data under own keys."""
