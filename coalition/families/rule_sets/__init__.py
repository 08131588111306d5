"""Rule sets as data: their words, their notation, the check of a file, the presets, the books."""
