"""Why an act may not be done, in plain Norwegian (Bokmål)."""

WHO = {"actor": "Du", "receiver": "Mottakeren", "head": "Hovedmedlemmet"}
WHOSE = {"actor": "Din", "receiver": "Mottakerens", "head": "Hovedmedlemmets"}

MONTHS = (
    *("januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september"),
    *("oktober", "november", "desember"),
)

NOUNS = {
    "points": ("poeng", "poeng"),
    "days": ("dag", "dager"),
    "hours": ("time", "timer"),
    "years": ("år", "år"),
    "times": ("gang", "ganger"),
    "members": ("medlem", "medlemmer"),
    "adults": ("voksen", "voksne"),
    "minors": ("mindreårig", "mindreårige"),
    "infants": ("spedbarn", "spedbarn"),
    "nominees": ("person på listen", "personer på listen"),
    "groups": ("gruppe", "grupper"),
}

RULES = {
    "mechanism": "Disse reglene lar ingen flytte poeng på den måten",
    "direction.child_to_parent": "Et barn sender poeng til en forelder, og ingen andre gjør det",
    "direction.member_to_head": "Poeng går bare fra medlemmer i en gruppe til hovedmedlemmet",
    "direction.within_group": "Poeng går bare mellom medlemmer i samme gruppe",
    "group.max": "Gruppen har plass til {limit_noun}; {used} er med eller invitert",
    "group.min": "Til det trenger gruppen minst {limit_noun}; den har {used}",
    "group.groups_per_member": "Du kan være med i {limit_groups} av dette slaget om gangen",
    "group.minors_only_in_group": "Den som er yngre enn {limit}, er bare med i en gruppe",
    "group.separating": "Gruppen er i ferd med å deles, og ingenting flyttes før det er avgjort",
    "group.spend.scope.none": "Rollen din i gruppen lar deg ikke bruke poeng",
    "group.spend.scope.own": "Rollen din i gruppen lar deg bare bruke dine egne poeng",
    "group.spend.only_for_self": "Du kan bare bruke poengene på deg selv",
    "group.spend.revocable": "Hovedmedlemmet har tatt fra deg retten til å bruke gruppens poeng",
    "group.spend.by_grant": "Hovedmedlemmet har ennå ikke gitt deg rett til å bruke gruppens poeng",
    "eligibility.relationships": "Det går bare mellom nærstående av disse slagene: {limit}",
    "eligibility.evidence": "Det må først vises hvordan dere er nærstående",
    "eligibility.address.same": "Begge må bo på samme adresse",
    "eligibility.address.registered_same": "Begge må være folkeregistrert på samme adresse",
    "eligibility.countries": "{who} må bo i et av disse landene: {limit}",
    "eligibility.min_age": "{who} må være minst {limit_years}",
    "eligibility.max_age": "{who} kan være høyst {limit_years}",
    "eligibility.tiers": "{who} må ha et av disse nivåene: {limit}",
    "eligibility.plans": "{who} må ha et av disse medlemskapene: {limit}",
    "eligibility.segments": "{who} må være blant dem som dette er for",
    "eligibility.identity_verified": "{whose} konto må ha en bekreftet identitet",
    "eligibility.name_match": "Navnet må være mottakerens, slik det er registrert",
    "eligibility.good_standing": "{whose} konto må være uten anmerkning",
    "eligibility.min_account_days": "{who} må ha vært medlem i {limit_days}",
    "eligibility.min_active_months": "{who} må ha tjent poeng i {limit} av de siste tolv månedene",
    "eligibility.min_earned": "{who} må ha tjent minst {limit_points}",
    "eligibility.min_balance": "{who} må ha minst {limit_points}",
    "join.cooldown_days": "Fra man har forlatt en gruppe til man blir med i en annen, må det gå "
    "{limit_days}",
    "join.slot_cooldown_days": "Plassen etter den som har gått ut, står tom i {limit_days}",
    "join.lock_in_days": "Et medlem blir i gruppen i minst {limit_days}",
    "join.freeze_hours": "Et nytt medlem venter {limit_hours} før gruppens poeng brukes",
    "contribution.manual": "Ingen fører selv poeng inn i denne gruppen",
    "contribution.lots": "Bare {limit_points} av dine kan føres inn, og det gjaldt {used}",
    "contribution.future_percent": "Andelen må være en av disse prosentene: {limit}",
    "transfer.min": "Du må sende minst {limit_points} om gangen; det gjaldt {used}",
    "transfer.max": "Du kan sende høyst {limit_points} om gangen; det gjaldt {used}",
    "transfer.step": "Antallet poeng må gå opp i {limit}; det gjaldt {used}",
    "transfer.purpose": "Si hvilken belønning poengene er til",
    "transfer.may_move_on": "Poeng som du har fått, kan ikke sendes videre; {limit_points} av dine "
    "kan sendes, og det gjaldt {used}",
    "transfer.lots": "Bare {limit_points} av dine kan sendes, og det gjaldt {used}",
    "fees.brackets": "Det finnes ingen pris for mer enn {limit_points}; det gjaldt {used}",
    "exits.self_removal": "Bare hovedmedlemmet kan ta et medlem ut av gruppen",
    "control.step_up_above": "Logg inn på nytt for å flytte mer enn {limit_points}",
    "control.blackouts": "Ingen poeng flyttes til og med {limit_date}",
    "balance": "{limit_points} kan brukes, og {used} trengs",
    "limit": "Her er høyst {limit} tillatt",
    "other": "En regel tillater det ikke",
}

OWN = {
    "eligibility.min_age": "du er {used}",
    "eligibility.max_age": "du er {used}",
    "eligibility.min_account_days": "hittil er det {used_days}",
    "eligibility.min_active_months": "hittil er det {used}",
    "eligibility.min_earned": "hittil er det {used_points}",
    "eligibility.min_balance": "du har {used}",
}

AMOUNTS = {
    "transfer.sender": "Du kan sende",
    "transfer.receiver": "Mottakeren kan ta imot",
    "transfer.pair": "Du kan til dette medlemmet sende",
    "transfer.group": "Gruppen din kan sende",
    "contribute.member": "Du kan føre inn",
    "contribute.group": "Gruppen din kan ta inn",
    "redeem.member": "Du kan bruke",
    "redeem.group": "Gruppen din kan bruke",
}

COUNTS = {
    "transfer.sender": "Du kan sende poeng",
    "transfer.receiver": "Mottakeren kan ta imot poeng",
    "transfer.pair": "Du kan sende poeng til dette medlemmet",
    "transfer.group": "Gruppen din kan sende poeng",
    "contribute.member": "Du kan føre inn poeng",
    "contribute.group": "Gruppen din kan ta inn poeng",
    "join.member": "Du kan bli med i en gruppe",
    "join.group": "Noen kan bli med i gruppen",
    "leave.member": "Du kan forlate en gruppe",
    "leave.group": "Noen kan forlate gruppen",
    "change.member": "Du kan endre noe i en gruppe",
    "change.group": "Gruppen kan endres",
    "card.member": "Du kan bestille et kort",
    "card.group": "Gruppen kan bestille et kort",
    "redeem.member": "Du kan bruke poeng",
    "redeem.group": "Gruppen din kan bruke poeng",
}

OTHERS = {
    "transfer.sender": "Du kan sende poeng til ett medlem til",
    "transfer.receiver": "Mottakeren kan ta imot poeng fra ett medlem til",
    "transfer.group": "Ett medlem til i gruppen din kan sende poeng",
}

FRAMES = {
    "more": "{number} {noun} til",
    "some_more": "flere poeng",
    "amount.then": "{can} {more} fra og med {then}: høyst {limit_points} {window}",
    "amount.left": "Til da er {remaining_points} igjen",
    "amount": "{can} høyst {limit_points} {window}",
    "count.then": "{can} igjen fra og med {then}: høyst {limit_times} {window}",
    "count": "{can} høyst {limit_times} {window}",
    "others.then": "{can} fra og med {then}: høyst {limit} forskjellige {window}",
    "others": "Høyst {limit} forskjellige medlemmer {window}",
    "so_far": "hittil {used}",
    "then": "Det går fra og med {then}",
    "day": "{day}. {month}",
    "year": "{date} {year}",
    "clock": "{date} kl. {hour:02}.{minute:02}",
}
