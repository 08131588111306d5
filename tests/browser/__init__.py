"""What members do in a real browser, with a service of its own and the sandbox."""
