"""What Prometheus may know of the gateway."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds; an alarm is expected to be accepted within some hundredths."""


class Gauges:
    """The gateway's metrics, in a registry of their own, so that a process may have several gateways."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry()
        self.received = self._counter("received", "Alarms and reports that came in")
        self.accepted = self._counter("accepted", "Alarms and reports that were handed to Temporal")
        self.absorbed = self._counter("absorbed", "Alarms whose state Temporal had already, and that did not travel")
        self.ignored = self._counter("ignored", "Alarms that were understood and tell no change of state")
        self.refused = self._counter(
            "refused", "Alarms and reports that could not be read, and requests that proved nothing"
        )
        self.undelivered = self._counter("undelivered", "Alarms and reports that Temporal did not take")
        self.seconds = Histogram(
            "allclear_acceptance_seconds",
            "From the request to Temporal's acceptance of everything in it",
            ["source"],
            buckets=BUCKETS,
            registry=self._registry,
        )

    def _counter(self, name: str, words: str) -> Counter:
        return Counter(f"allclear_alarms_{name}", words, ["source"], registry=self._registry)

    def text(self) -> bytes:
        """Return all of them in Prometheus's format."""
        return generate_latest(self._registry)
