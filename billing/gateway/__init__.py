"""How billing talks with Stripe: the client, its answers as our own shapes, webhooks coming in."""
