"""What the law of each country asks: withdrawal, wording of buttons, notices, disclosures.

Shipped as one file per country whose terms are its own, and `alike` for those that have the terms
of another by their own clock; `EU` stands for every country without either. An operator may lay its
own files over them (`COALITION_COUNTRIES`).
"""

from billing.plans.countries.terms import Countries, CountryDocument, Words, shipped

__all__ = ["Countries", "CountryDocument", "Words", "shipped"]
