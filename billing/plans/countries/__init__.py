"""What the law of each country asks: withdrawal, wording of buttons, notices, disclosures.

Shipped as one file per country; `EU` stands for every country without one. An operator may lay its
own files over them (`COALITION_COUNTRIES`).
"""

from billing.plans.countries.terms import Countries, CountryDocument, Words, shipped

__all__ = ["Countries", "CountryDocument", "Words", "shipped"]
