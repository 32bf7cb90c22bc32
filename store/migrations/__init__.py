"""The history of the tables, a revision per file in `versions`; run by `store.migrate`."""
