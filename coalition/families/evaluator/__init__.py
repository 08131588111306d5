"""What a rule set says to an act. Pure: no framework, no database, no clock."""
