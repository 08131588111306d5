"""What members are told of their memberships, in Swedish."""

SWEDISH: dict[str, str] = {
    "each.month": "{price} i månaden",
    "each.year": "{price} om året",
    "trial_ends.subject": "Din provperiod på {plan} går ut den {ends}",
    "trial_ends.body": (
        "Din fria provperiod på {plan} går ut den {ends}. Därefter kostar {plan} {price}, "
        "och du behöver inte göra något för att behålla medlemskapet.\n\n"
        "Vill du inte fortsätta säger du upp före den {ends}. Det kostar ingenting och tar "
        "två klick."
    ),
    "renews.subject": "{plan} förnyas den {ends}",
    "renews.body": (
        "{plan} förnyas den {ends}, för {price}.\n\n"
        "Vill du inte fortsätta säger du upp före den {ends}; du har kvar {plan} till dess."
    ),
    "price_notice.subject": "Nytt pris på {plan} från den {applies}",
    "price_notice.body": (
        "Priset på {plan} ändras.\n\n"
        "Hittills: {old}\n"
        "Från den {applies}: {new}\n\n"
        "Du behöver inte göra något för att fortsätta. Vill du inte ha det nya priset "
        "säger du upp före den {applies}: till dess betalar du det gamla, och därefter "
        "ingenting."
    ),
    "price_asked_ends.subject": "Godkänner du ett nytt pris på {plan}?",
    "price_asked_ends.body": (
        "Priset på {plan} ändras, om du godkänner det.\n\n"
        "Hittills: {old}\n"
        "Från den {applies}: {new}\n\n"
        "Svara ja på sidan för ditt medlemskap senast den {agree_by}. Gör du inte det "
        "slutar {plan} den {applies}, och du betalar inget mer. Du kan också säga upp där "
        "när som helst."
    ),
    "price_asked_stays.subject": "Godkänner du ett nytt pris på {plan}?",
    "price_asked_stays.body": (
        "Vi vill ändra priset på {plan}, om du godkänner det.\n\n"
        "Hittills: {old}\n"
        "Från den {applies}: {new}\n\n"
        "Svara ja på sidan för ditt medlemskap senast den {agree_by}. Gör du inte det "
        "gäller det gamla priset. Du kan också säga upp där när som helst."
    ),
    "price_not_agreed.subject": "{plan} slutar den {applies}",
    "price_not_agreed.body": (
        "Du har inte godkänt det nya priset på {plan}, så det slutar den {applies}. Du "
        "betalar inget mer och behöver inte göra något."
    ),
    "special_price_ends.subject": "Ditt specialpris på {plan} slutar den {applies}",
    "special_price_ends.body": (
        "Vi har inte längre något som visar att du har rätt till specialpriset. Från den "
        "{applies} kostar {plan} {price}.\n\n"
        "Vill du inte det säger du upp före den {applies}. Är det fel hör du av dig till "
        "oss innan dess."
    ),
    "payment_failed.subject": "Betalningen för {plan} gick inte igenom",
    "payment_failed.body": (
        "En betalning på {amount} för {plan} gick inte igenom.\n\n"
        "Dina förmåner gäller till den {until}. Vill du behålla dem betalar du eller byter "
        "kort före dess, på sidan för ditt medlemskap."
    ),
    "payment_failed_now.subject": "{plan} väntar på betalning",
    "payment_failed_now.body": (
        "En betalning på {amount} för {plan} gick inte igenom, så förmånerna vilar.\n\n"
        "Vill du ha dem igen betalar du eller byter kort på sidan för ditt medlemskap."
    ),
    "ended.subject": "{plan} har slutat",
    "ended.body": (
        "{plan} slutade den {ended}. Inget mer dras, och dina poäng är kvar.\n\n"
        "Du är välkommen tillbaka när du vill."
    ),
    "order.subject": "Din beställning av {plan}",
    "order.body": (
        "Tack för din beställning den {ordered}.\n\n"
        "{plan}: {price}\n\n"
        "{trial}\n\n"
        "{withdrawal}\n\n"
        "Du kan säga upp när som helst på sidan för ditt medlemskap och har kvar det du "
        "har betalat för.\n\n"
        "Detta visades innan du beställde (version {version}):\n\n"
        "{text}"
    ),
    "order.trial": "Det är gratis till den {ends}; då dras pengar första gången.",
    "order.withdrawal": (
        "Du kan ångra beställningen till och med den {until}, utan att säga varför, på "
        "sidan för ditt medlemskap eller utan att logga in."
    ),
    "trial_refused.subject": "Ingen andra provperiod på {plan}",
    "trial_refused.body": (
        "Du, ditt kort eller ditt hushåll har haft en fri provperiod tidigare, så din "
        "beställning av {plan} avslutades. Inget har dragits.\n\n"
        "Du kan beställa utan provperiod."
    ),
    "cancelled.subject": "Du har sagt upp {plan}",
    "cancelled.body": (
        "Vi tog emot din uppsägning den {done}.\n\n"
        "{plan} slutar den {ends}. Inget mer dras. Till dess kan du ångra dig på sidan för "
        "ditt medlemskap."
    ),
    "cancelled_now.subject": "Du har sagt upp {plan}",
    "cancelled_now.body": (
        "Vi tog emot din uppsägning den {done}.\n\n{plan} har slutat. Inget mer dras."
    ),
    "uncancelled.subject": "{plan} fortsätter",
    "uncancelled.body": (
        "Du tog tillbaka din uppsägning av {plan} den {done}. Det fortsätter som förut, "
        "till samma pris."
    ),
    "paused.subject": "{plan} är pausat",
    "paused.body": (
        "Du pausade {plan} den {done}. Du har det kvar så länge du har betalat, och inget "
        "dras före den {until}. Sedan fortsätter det av sig självt.\n\n"
        "Du kan avsluta pausen när som helst på sidan för ditt medlemskap."
    ),
    "resumed.subject": "{plan} fortsätter",
    "resumed.body": (
        "Du avslutade pausen av {plan} den {done}. Det fortsätter, och betalningarna också."
    ),
    "withdrawn.subject": "Du har ångrat köpet av {plan}",
    "withdrawn.body": (
        "Vi tog emot ditt besked den {done}, och {plan} har slutat.\n\n"
        "Du får tillbaka {refund}, på samma sätt som du betalade. Det tar banken några "
        "dagar."
    ),
    "refunded.subject": "Du får tillbaka {amount}",
    "refunded.body": (
        "Vi betalar tillbaka {amount} av det du har betalat för {plan}, på samma sätt som du "
        "betalade. Det tar banken några dagar."
    ),
    "price_agreed.subject": "Du har godkänt det nya priset på {plan}",
    "price_agreed.body": (
        "Den {done} godkände du att {plan} kostar {new} från den första förnyelsen den "
        "{applies} eller senare.\n\n"
        "Du kan säga upp före dess och betalar det gamla priset tills det slutar."
    ),
    "gift_paid.subject": "Din present är betald",
    "gift_paid.body": (
        "Tack. Du har betalat {price} för {months} månader av {plan} att ge bort.\n\n"
        "Koden finns på din sida med presenter: ge den till den som ska ha dem. Den kan "
        "lösas in till den {until}. Vi har ingen kopia av den och skickar den inte till "
        "någon."
    ),
    "gift_redeemed.subject": "Din present är inlöst",
    "gift_redeemed.body": "Någon har löst in din present på {months} månader av {plan}.",
    "gift_received.subject": "{months} månader av {plan} till dig",
    "gift_received.body": (
        "Du har löst in en present: {plan} från den {begins} till den {ends}. Det slutar "
        "av sig självt, och inget dras."
    ),
    "gift_put_off.subject": "{months} månader av {plan} till dig",
    "gift_put_off.body": (
        "Du har löst in en present på {months} månader av {plan}. De följer på det du har "
        "betalat, och nästa betalning är den {ends}."
    ),
    "seat_given.subject": "Du delar nu {plan}",
    "seat_given.body": (
        "Någon i din familj delar {plan} med dig. Du har förmånerna från och med nu, "
        "betalar ingenting och kan lämna när du vill."
    ),
    "seat_ended.subject": "Du delar inte {plan} längre",
    "seat_ended.body": (
        "Någon i din familj delade {plan} med dig till den {ended}. Förmånerna har slutat "
        "för dig; dina poäng är kvar."
    ),
    "seat_given_up.subject": "En plats i ditt {plan} är ledig igen",
    "seat_given_up.body": (
        "Någon som du delade {plan} med har lämnat platsen. Du kan dela den med någon "
        "annan i familjen."
    ),
    "fee_due.subject": "En avgift på {amount} väntar på dig",
    "fee_due.body": (
        "Det du vill göra i din familj kostar {amount}. Det väntar tills du har betalat, "
        "på sidan för dina avgifter."
    ),
    "fee_returned.subject": "Du får tillbaka {amount}",
    "fee_returned.body": (
        "Det blev inget av det som du betalade {amount} för i din familj, så du får "
        "tillbaka pengarna på samma sätt som du betalade. Det tar banken några dagar."
    ),
}
