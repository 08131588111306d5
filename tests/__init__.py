"""The tests mirror the packages; tests that look at more than one live in journeys, properties or faults."""
