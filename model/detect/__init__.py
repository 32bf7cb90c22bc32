"""From an alarm or a report to the incident it belongs to (rows D1 to D6)."""
