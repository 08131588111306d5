"""The commands of `coalition`, one module each."""
