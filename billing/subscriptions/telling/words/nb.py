"""What members are told of their memberships, in Norwegian."""

NORWEGIAN: dict[str, str] = {
    "each.month": "{price} i måneden",
    "each.year": "{price} i året",
    "trial_ends.subject": "Prøveperioden din på {plan} går ut {ends}",
    "trial_ends.body": (
        "Den gratis prøveperioden din på {plan} går ut {ends}. Deretter koster {plan} "
        "{price}, og du trenger ikke gjøre noe for å beholde medlemskapet.\n\n"
        "Vil du ikke fortsette, sier du opp før {ends}. Det koster ingenting og tar to "
        "klikk."
    ),
    "renews.subject": "{plan} fornyes {ends}",
    "renews.body": (
        "{plan} fornyes {ends}, for {price}.\n\n"
        "Vil du ikke fortsette, sier du opp før {ends}; du beholder {plan} til da."
    ),
    "price_notice.subject": "Ny pris på {plan} fra {applies}",
    "price_notice.body": (
        "Prisen på {plan} endres.\n\n"
        "Hittil: {old}\n"
        "Fra {applies}: {new}\n\n"
        "Du trenger ikke gjøre noe for å fortsette. Vil du ikke ha den nye prisen, sier du "
        "opp før {applies}: til da betaler du den gamle, og deretter ingenting."
    ),
    "price_asked_ends.subject": "Godtar du en ny pris på {plan}?",
    "price_asked_ends.body": (
        "Prisen på {plan} endres, hvis du godtar det.\n\n"
        "Hittil: {old}\n"
        "Fra {applies}: {new}\n\n"
        "Svar ja på siden for medlemskapet ditt innen {agree_by}. Gjør du ikke det, "
        "slutter {plan} {applies}, og du betaler ikke noe mer. Du kan også si opp der når "
        "som helst."
    ),
    "price_asked_stays.subject": "Godtar du en ny pris på {plan}?",
    "price_asked_stays.body": (
        "Vi vil endre prisen på {plan}, hvis du godtar det.\n\n"
        "Hittil: {old}\n"
        "Fra {applies}: {new}\n\n"
        "Svar ja på siden for medlemskapet ditt innen {agree_by}. Gjør du ikke det, "
        "gjelder den gamle prisen. Du kan også si opp der når som helst."
    ),
    "price_not_agreed.subject": "{plan} slutter {applies}",
    "price_not_agreed.body": (
        "Du har ikke godtatt den nye prisen på {plan}, så det slutter {applies}. Du "
        "betaler ikke noe mer og trenger ikke gjøre noe."
    ),
    "special_price_ends.subject": "Spesialprisen din på {plan} slutter {applies}",
    "special_price_ends.body": (
        "Vi har ikke lenger noe som viser at du har rett til spesialprisen. Fra {applies} "
        "koster {plan} {price}.\n\n"
        "Vil du ikke det, sier du opp før {applies}. Er det feil, gir du oss beskjed innen "
        "da."
    ),
    "payment_failed.subject": "Betalingen for {plan} gikk ikke gjennom",
    "payment_failed.body": (
        "En betaling på {amount} for {plan} gikk ikke gjennom.\n\n"
        "Fordelene dine gjelder til {until}. Vil du beholde dem, betaler du eller bytter "
        "kort før det, på siden for medlemskapet ditt."
    ),
    "payment_failed_now.subject": "{plan} venter på betaling",
    "payment_failed_now.body": (
        "En betaling på {amount} for {plan} gikk ikke gjennom, så fordelene hviler.\n\n"
        "Vil du ha dem igjen, betaler du eller bytter kort på siden for medlemskapet ditt."
    ),
    "ended.subject": "{plan} er slutt",
    "ended.body": (
        "{plan} sluttet {ended}. Du belastes ikke mer, og poengene dine er fortsatt dine.\n\n"
        "Du er velkommen tilbake når du vil."
    ),
    "order.subject": "Bestillingen din av {plan}",
    "order.body": (
        "Takk for bestillingen din {ordered}.\n\n"
        "{plan}: {price}\n\n"
        "{trial}\n\n"
        "{withdrawal}\n\n"
        "Du kan si opp når som helst på siden for medlemskapet ditt og beholder det du har "
        "betalt for.\n\n"
        "Dette ble vist før du bestilte (versjon {version}):\n\n"
        "{text}"
    ),
    "order.trial": "Det er gratis til {ends}; da belastes du for første gang.",
    "order.withdrawal": (
        "Du kan angre bestillingen til og med {until}, uten å si hvorfor, på siden for "
        "medlemskapet ditt eller uten å logge inn."
    ),
    "trial_refused.subject": "Ingen ny prøveperiode på {plan}",
    "trial_refused.body": (
        "Du, kortet ditt eller husstanden din har hatt en gratis prøveperiode før, så "
        "bestillingen din av {plan} ble avsluttet. Du er ikke belastet.\n\n"
        "Du kan bestille uten prøveperiode."
    ),
    "cancelled.subject": "Du har sagt opp {plan}",
    "cancelled.body": (
        "Vi mottok oppsigelsen din {done}.\n\n"
        "{plan} slutter {ends}. Du belastes ikke mer. Til da kan du ombestemme deg på "
        "siden for medlemskapet ditt."
    ),
    "cancelled_now.subject": "Du har sagt opp {plan}",
    "cancelled_now.body": (
        "Vi mottok oppsigelsen din {done}.\n\n{plan} er slutt. Du belastes ikke mer."
    ),
    "uncancelled.subject": "{plan} fortsetter",
    "uncancelled.body": (
        "Du trakk tilbake oppsigelsen av {plan} {done}. Det fortsetter som før, til samme pris."
    ),
    "paused.subject": "{plan} er satt på pause",
    "paused.body": (
        "Du satte {plan} på pause {done}. Du beholder det så lenge du har betalt, og "
        "belastes ikke før {until}. Da fortsetter det av seg selv.\n\n"
        "Du kan avslutte pausen når som helst på siden for medlemskapet ditt."
    ),
    "resumed.subject": "{plan} fortsetter",
    "resumed.body": "Du avsluttet pausen av {plan} {done}. Det fortsetter, og betalingene også.",
    "withdrawn.subject": "Du har angret kjøpet av {plan}",
    "withdrawn.body": (
        "Vi mottok beskjeden din {done}, og {plan} er slutt.\n\n"
        "Du får tilbake {refund}, på samme måte som du betalte. Banken bruker noen dager."
    ),
    "refunded.subject": "Du får tilbake {amount}",
    "refunded.body": (
        "Vi betaler tilbake {amount} av det du har betalt for {plan}, på samme måte som du "
        "betalte. Banken bruker noen dager."
    ),
    "price_agreed.subject": "Du har godtatt den nye prisen på {plan}",
    "price_agreed.body": (
        "{done} godtok du at {plan} koster {new} fra den første fornyelsen {applies} eller "
        "senere.\n\n"
        "Du kan si opp før det og betaler den gamle prisen til det slutter."
    ),
    "gift_paid.subject": "Gaven din er betalt",
    "gift_paid.body": (
        "Takk. Du har betalt {price} for {months} måneder med {plan} til å gi bort.\n\n"
        "Koden finnes på siden din for gaver: gi den til den som skal ha dem. Den kan "
        "løses inn til {until}. Vi har ingen kopi av den og sender den ikke til noen."
    ),
    "gift_redeemed.subject": "Gaven din er løst inn",
    "gift_redeemed.body": "Noen har løst inn gaven din på {months} måneder med {plan}.",
    "gift_received.subject": "{months} måneder med {plan} til deg",
    "gift_received.body": (
        "Du har løst inn en gave: {plan} fra {begins} til {ends}. Det slutter av seg selv, "
        "og du belastes ikke."
    ),
    "gift_put_off.subject": "{months} måneder med {plan} til deg",
    "gift_put_off.body": (
        "Du har løst inn en gave på {months} måneder med {plan}. De følger etter det du "
        "har betalt, og neste betaling er {ends}."
    ),
    "seat_given.subject": "Du deler nå {plan}",
    "seat_given.body": (
        "Noen i familien din deler {plan} med deg. Du har fordelene fra nå av, betaler "
        "ingenting og kan gå ut når du vil."
    ),
    "seat_ended.subject": "Du deler ikke {plan} lenger",
    "seat_ended.body": (
        "Noen i familien din delte {plan} med deg til {ended}. Fordelene er slutt for deg; "
        "poengene dine er fortsatt dine."
    ),
    "seat_given_up.subject": "En plass i ditt {plan} er ledig igjen",
    "seat_given_up.body": (
        "Noen du delte {plan} med, har gitt fra seg plassen. Du kan dele den med noen "
        "andre i familien."
    ),
    "fee_due.subject": "Et gebyr på {amount} venter på deg",
    "fee_due.body": (
        "Det du vil gjøre i familien din, koster {amount}. Det venter til du har betalt, "
        "på siden for gebyrene dine."
    ),
    "fee_returned.subject": "Du får tilbake {amount}",
    "fee_returned.body": (
        "Det ble ikke noe av det du betalte {amount} for i familien din, så du får pengene "
        "tilbake på samme måte som du betalte. Banken bruker noen dager."
    ),
}
