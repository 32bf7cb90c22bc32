"""Who owns what and who is on call: the catalogue's file, its checks, and the plan frozen from it."""
