"""Plays drills: real workflows, activities, store and documents; only the connectors record instead of calling out."""
