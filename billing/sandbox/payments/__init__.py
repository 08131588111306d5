"""Who pays and how at the sandbox: customers, cards, intents, charges and the balance."""
