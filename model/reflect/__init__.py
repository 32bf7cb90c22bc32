"""After closing: COE, RCA and action items as processes (rows R1, R7 to R11)."""
