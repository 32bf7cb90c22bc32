"""One revision per file; a revision that has been released is never edited."""
