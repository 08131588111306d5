"""Why an act may not be done, in plain Swedish."""

WHO = {"actor": "Du", "receiver": "Mottagaren", "head": "Huvudmedlemmen"}
WHOSE = {"actor": "Ditt", "receiver": "Mottagarens", "head": "Huvudmedlemmens"}

MONTHS = (
    *("januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september"),
    *("oktober", "november", "december"),
)

NOUNS = {
    "points": ("poäng", "poäng"),
    "days": ("dag", "dagar"),
    "hours": ("timme", "timmar"),
    "years": ("år", "år"),
    "times": ("gång", "gånger"),
    "members": ("medlem", "medlemmar"),
    "adults": ("vuxen", "vuxna"),
    "minors": ("minderårig", "minderåriga"),
    "infants": ("spädbarn", "spädbarn"),
    "nominees": ("person på listan", "personer på listan"),
    "groups": ("grupp", "grupper"),
}

RULES = {
    "mechanism": "De här reglerna låter ingen flytta poäng på det sättet",
    "direction.child_to_parent": "Ett barn skickar poäng till en förälder, och ingen annan gör det",
    "direction.member_to_head": "Poäng går bara från medlemmar i en grupp till huvudmedlemmen",
    "direction.within_group": "Poäng går bara mellan medlemmar i samma grupp",
    "group.max": "Gruppen har plats för {limit_noun}; {used} är med eller inbjudna",
    "group.min": "För det behöver gruppen minst {limit_noun}; den har {used}",
    "group.groups_per_member": "Du kan vara med i {limit_groups} av det här slaget åt gången",
    "group.minors_only_in_group": "Den som är yngre än {limit} är bara med i en grupp",
    "group.separating": "Gruppen håller på att delas, och inget flyttas innan det är klart",
    "group.spend.scope.none": "Din roll i gruppen låter dig inte använda poäng",
    "group.spend.scope.own": "Din roll i gruppen låter dig bara använda dina egna poäng",
    "group.spend.only_for_self": "Du kan bara använda poängen för egen del",
    "group.spend.revocable": "Huvudmedlemmen har tagit ifrån dig rätten att använda gruppens poäng",
    "group.spend.by_grant": "Huvudmedlemmen har ännu inte gett dig rätt att använda gruppens poäng",
    "eligibility.relationships": "Det går bara mellan närstående av de här slagen: {limit}",
    "eligibility.evidence": "Det måste först visas hur ni är närstående",
    "eligibility.address.same": "Båda måste bo på samma adress",
    "eligibility.address.registered_same": "Båda måste vara folkbokförda på samma adress",
    "eligibility.countries": "{who} måste bo i ett av de här länderna: {limit}",
    "eligibility.min_age": "{who} måste vara minst {limit_years}",
    "eligibility.max_age": "{who} får vara högst {limit_years}",
    "eligibility.tiers": "{who} måste ha en av de här nivåerna: {limit}",
    "eligibility.plans": "{who} måste ha ett av de här medlemskapen: {limit}",
    "eligibility.segments": "{who} måste höra till dem som detta är till för",
    "eligibility.identity_verified": "{whose} konto måste ha en bekräftad identitet",
    "eligibility.name_match": "Namnet måste vara mottagarens, som det är registrerat",
    "eligibility.good_standing": "{whose} konto måste vara utan anmärkning",
    "eligibility.min_account_days": "{who} måste ha varit medlem i {limit_days}",
    "eligibility.min_active_months": "{who} måste ha tjänat poäng under {limit} av de senaste tolv "
    "månaderna",
    "eligibility.min_earned": "{who} måste ha tjänat minst {limit_points}",
    "eligibility.min_balance": "{who} måste ha minst {limit_points}",
    "join.cooldown_days": "Från att man lämnat en grupp till att man går med i en annan måste det "
    "gå {limit_days}",
    "join.slot_cooldown_days": "Platsen efter den som har lämnat står tom i {limit_days}",
    "join.lock_in_days": "En medlem stannar i gruppen i minst {limit_days}",
    "join.freeze_hours": "En ny medlem väntar {limit_hours} innan gruppens poäng används",
    "contribution.manual": "Ingen för själv in poäng i den här gruppen",
    "contribution.lots": "Bara {limit_points} av dina kan föras in, och det gällde {used}",
    "contribution.future_percent": "Andelen måste vara ett av de här procenttalen: {limit}",
    "transfer.min": "Du måste skicka minst {limit_points} åt gången; det gällde {used}",
    "transfer.max": "Du kan skicka högst {limit_points} åt gången; det gällde {used}",
    "transfer.step": "Antalet poäng måste vara en multipel av {limit}; det gällde {used}",
    "transfer.purpose": "Säg vilken belöning poängen är till för",
    "transfer.may_move_on": "Poäng som du har fått kan inte skickas vidare; {limit_points} av dina "
    "kan skickas, och det gällde {used}",
    "transfer.lots": "Bara {limit_points} av dina kan skickas, och det gällde {used}",
    "fees.brackets": "Det finns inget pris för mer än {limit_points}; det gällde {used}",
    "exits.self_removal": "Bara huvudmedlemmen kan ta ut en medlem ur gruppen",
    "control.step_up_above": "Logga in på nytt för att flytta mer än {limit_points}",
    "control.blackouts": "Inga poäng flyttas till och med {limit_date}",
    "balance": "{limit_points} kan användas, och {used} behövs",
    "limit": "Här är högst {limit} tillåtet",
    "other": "En regel tillåter det inte",
}

OWN = {
    "eligibility.min_age": "du är {used}",
    "eligibility.max_age": "du är {used}",
    "eligibility.min_account_days": "hittills är det {used_days}",
    "eligibility.min_active_months": "hittills är det {used}",
    "eligibility.min_earned": "hittills är det {used_points}",
    "eligibility.min_balance": "du har {used}",
}

AMOUNTS = {
    "transfer.sender": "Du kan skicka",
    "transfer.receiver": "Mottagaren kan ta emot",
    "transfer.pair": "Du kan till den här medlemmen skicka",
    "transfer.group": "Din grupp kan skicka",
    "contribute.member": "Du kan föra in",
    "contribute.group": "Din grupp kan ta in",
    "redeem.member": "Du kan använda",
    "redeem.group": "Din grupp kan använda",
}

COUNTS = {
    "transfer.sender": "Du kan skicka poäng",
    "transfer.receiver": "Mottagaren kan ta emot poäng",
    "transfer.pair": "Du kan skicka poäng till den här medlemmen",
    "transfer.group": "Din grupp kan skicka poäng",
    "contribute.member": "Du kan föra in poäng",
    "contribute.group": "Din grupp kan ta in poäng",
    "join.member": "Du kan gå med i en grupp",
    "join.group": "Någon kan gå med i gruppen",
    "leave.member": "Du kan lämna en grupp",
    "leave.group": "Någon kan lämna gruppen",
    "change.member": "Du kan ändra något i en grupp",
    "change.group": "Gruppen kan ändras",
    "card.member": "Du kan beställa ett kort",
    "card.group": "Gruppen kan beställa ett kort",
    "redeem.member": "Du kan använda poäng",
    "redeem.group": "Din grupp kan använda poäng",
}

OTHERS = {
    "transfer.sender": "Du kan skicka poäng till ytterligare en medlem",
    "transfer.receiver": "Mottagaren kan ta emot poäng från ytterligare en medlem",
    "transfer.group": "Ytterligare en medlem i din grupp kan skicka poäng",
}

FRAMES = {
    "more": "{number} {noun} till",
    "some_more": "fler poäng",
    "amount.then": "{can} {more} från och med {then}: högst {limit_points} {window}",
    "amount.left": "Till dess är {remaining_points} kvar",
    "amount": "{can} högst {limit_points} {window}",
    "count.then": "{can} igen från och med {then}: högst {limit_times} {window}",
    "count": "{can} högst {limit_times} {window}",
    "others.then": "{can} från och med {then}: högst {limit} olika {window}",
    "others": "Högst {limit} olika medlemmar {window}",
    "so_far": "hittills {used}",
    "then": "Det går från och med {then}",
    "day": "{day} {month}",
    "year": "{date} {year}",
    "clock": "{date} kl. {hour:02}.{minute:02}",
}
