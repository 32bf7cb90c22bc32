"""Who is paged, when, with what words, and who answered (rows E1 to E6)."""
