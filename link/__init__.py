"""Everything between AllClear and Temporal that several rooms need."""
