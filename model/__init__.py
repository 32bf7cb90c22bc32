"""The vocabulary and every rule: pydantic models and pure functions, without I/O, clock or randomness."""
