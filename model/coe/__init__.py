"""The COE as a document: read, checked, drafted (rows R1 to R6)."""
