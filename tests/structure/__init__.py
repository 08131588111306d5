"""The project looked at as text: conventions that no other tool checks, each shown able to fail."""
