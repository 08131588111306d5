"""What every feature stands on: a closed list of modules, none of which knows a feature."""
