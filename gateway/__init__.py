"""HTTP: alarms and reports in, the signed phone page, health, metrics and a small API (design §3)."""
