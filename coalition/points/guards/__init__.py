"""Fraud guards of the till: what is judged before posting, and watched after."""
