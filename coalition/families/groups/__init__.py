"""Groups over their life: forming, entering, contributing, leaving, parting, ageing out, dying."""
