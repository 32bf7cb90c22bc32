"""The process: its servers, its worker, and its life from the first line to the last."""
