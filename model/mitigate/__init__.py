"""The ladder of mitigations and the verification that the impact is gone (rows M0 to M5)."""
