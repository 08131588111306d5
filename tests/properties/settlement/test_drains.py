"""Any history comes to the same cents, whether drained or replayed one posting at a time."""
