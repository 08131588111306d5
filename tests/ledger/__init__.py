"""The ledger, posting by posting."""
