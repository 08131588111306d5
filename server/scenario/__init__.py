"""Stories that run: a dated file is played on a scratch database, and what came of it is told."""
