"""Points from one member to another: judged, reserved, decided, committed, undone, watched."""
