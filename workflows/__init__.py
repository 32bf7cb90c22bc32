"""The durable processes: they wait, decide by calling `model`, and owe effects."""
