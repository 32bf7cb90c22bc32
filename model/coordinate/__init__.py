"""The ticket, statements, forks and the support desk with its two audiences (rows C1 to C11)."""
