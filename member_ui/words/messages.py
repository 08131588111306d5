"""The words of the inbox, by language."""

from collections.abc import Mapping

MESSAGES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "nav.messages": "Messages",
        "nav.unread": "{n} unread",
        "messages.settings": "How we write to you",
        "messages.new": "New",
        "messages.earlier": "Earlier ones",
        "messages.none": "Nothing yet. What concerns your membership comes here.",
        "messages.go_on": "Open the page",
        "messages.contract": (
            "What concerns your membership, such as prices, payments and receipts, you always get."
        ),
        "messages.here_alone": "You read it here; no e-mails are sent.",
        "messages.language": "Language of messages",
        "messages.marketing": "Yes, send me offers and news by e-mail. I can say no at any time.",
        "messages.keep": "Save",
        "done.settings_kept": "Saved.",
        "unsubscribe.title": "No more offers by e-mail",
        "unsubscribe.ask": (
            "You get no more offers and news by e-mail. What concerns your membership still comes."
        ),
        "unsubscribe.button": "No more offers",
        "unsubscribe.done": "Done: no more offers and news come to you by e-mail.",
        "refusal.message_not_found": "We have no such message for you.",
        "refusal.unsubscription_not_found": "This address is not one that we have sent.",
    },
    "sv": {
        "nav.messages": "Meddelanden",
        "nav.unread": "{n} olästa",
        "messages.settings": "Så skriver vi till dig",
        "messages.new": "Nytt",
        "messages.earlier": "Tidigare",
        "messages.none": "Inget än. Det som rör ditt medlemskap kommer hit.",
        "messages.go_on": "Öppna sidan",
        "messages.contract": (
            "Det som rör ditt medlemskap, som priser, betalningar och kvitton, får du alltid."
        ),
        "messages.here_alone": "Du läser det här; ingen e-post skickas.",
        "messages.language": "Språk i meddelanden",
        "messages.marketing": (
            "Ja, skicka erbjudanden och nyheter med e-post. Jag kan säga nej när som helst."
        ),
        "messages.keep": "Spara",
        "done.settings_kept": "Sparat.",
        "unsubscribe.title": "Inga fler erbjudanden med e-post",
        "unsubscribe.ask": (
            "Du får inga fler erbjudanden och nyheter med e-post. Det som rör ditt medlemskap "
            "kommer fortfarande."
        ),
        "unsubscribe.button": "Inga fler erbjudanden",
        "unsubscribe.done": "Klart: inga fler erbjudanden och nyheter kommer med e-post.",
        "refusal.message_not_found": "Vi har inget sådant meddelande till dig.",
        "refusal.unsubscription_not_found": "Den adressen har vi inte skickat.",
    },
    "nb": {
        "nav.messages": "Meldinger",
        "nav.unread": "{n} uleste",
        "messages.settings": "Slik skriver vi til deg",
        "messages.new": "Ny",
        "messages.earlier": "Tidligere",
        "messages.none": "Ingenting ennå. Det som gjelder medlemskapet ditt, kommer hit.",
        "messages.go_on": "Åpne siden",
        "messages.contract": (
            "Det som gjelder medlemskapet ditt, som priser, betalinger og kvitteringer, får du "
            "alltid."
        ),
        "messages.here_alone": "Du leser det her; det sendes ingen e-post.",
        "messages.language": "Språk i meldinger",
        "messages.marketing": (
            "Ja, send meg tilbud og nyheter på e-post. Jeg kan si nei når som helst."
        ),
        "messages.keep": "Lagre",
        "done.settings_kept": "Lagret.",
        "unsubscribe.title": "Ikke flere tilbud på e-post",
        "unsubscribe.ask": (
            "Du får ikke flere tilbud og nyheter på e-post. Det som gjelder medlemskapet ditt, "
            "kommer fortsatt."
        ),
        "unsubscribe.button": "Ikke flere tilbud",
        "unsubscribe.done": "Ferdig: det kommer ikke flere tilbud og nyheter på e-post.",
        "refusal.message_not_found": "Vi har ingen slik melding til deg.",
        "refusal.unsubscription_not_found": "Den adressen har vi ikke sendt.",
    },
}
