"""`Watch`: one per region, for ever; keeps one heartbeating activity watching it (D2, D4)."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from activities.watch import WATCH
from link.starting import behind
from model.detect.watch import Seen, watch_details
from model.detect.watch import Watch as State
from model.text import cut

ROUNDS = 500
"""Activities of one run: at five minutes each, a day and a half."""
MISSED = timedelta(seconds=30)
"""Without a heartbeat for so long, another worker begins to watch."""
LONGEST = timedelta(hours=1)
PAUSE = timedelta(seconds=10)


@workflow.defn(name="Watch")
class Watch:
    """Watches one region from the outside."""

    @workflow.init
    def __init__(self, state: State | None = None) -> None:
        """Begin with what the last run saw; a first run knows its region by its own id."""
        self.state = state or State(region=workflow.info().workflow_id.removeprefix("watch/"))

    @workflow.run
    async def run(self, state: State | None = None) -> None:
        """Watch, for ever."""
        rounds = 0
        while rounds < ROUNDS and not workflow.info().is_continue_as_new_suggested():
            rounds += 1
            workflow.set_current_details(watch_details(self.state))
            try:
                self.state.seen = await workflow.execute_activity(
                    WATCH,
                    self.state.region,
                    task_queue=behind(workflow.info().task_queue),
                    result_type=list[Seen],
                    start_to_close_timeout=LONGEST,
                    heartbeat_timeout=MISSED,
                    retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30), maximum_attempts=10),
                )
                self.state.error = ""
            except ActivityError as error:
                self.state.error = cut(str(error.cause or error), 300)
                await workflow.sleep(PAUSE)
        workflow.continue_as_new(self.state)

    @workflow.query(description="What was seen last of this region.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state
