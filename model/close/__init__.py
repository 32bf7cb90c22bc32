"""The checklist and the ways out of an event (rows X0 to X4)."""
