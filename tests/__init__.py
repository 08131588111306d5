"""The tests mirror the packages; those of more than one are journeys, properties or faults."""
