"""Beyond one incident: campaigns and the operational review (rows L1, L3)."""
