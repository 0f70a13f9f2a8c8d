"""By when a daily run must have ended: Airflow asks when it creates a run, and keeps the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(eq=False)
class DailyRunDeadline(BaseDeadlineReference):
    """
    The time from which a daily run's minutes until its deadline count.

    It is the time at which the run was due. For one that is created when half of these minutes have
    passed, at a first start or when its DAG is unpaused, it is the creation: being created late is
    no lateness. Nobody waits for a manual run or a backfill: they have no deadline.
    """

    minutes: float = 0
    """Minutes from the run's time until its deadline."""
    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: "Session", dag_id: str, run_id: str) -> datetime | None:
        from airflow.models import DagRun
        from airflow.sdk import timezone
        from sqlalchemy import select

        of_run = select(DagRun.run_type, DagRun.run_after).where(
            DagRun.dag_id == dag_id, DagRun.run_id == run_id
        )
        run_type, due = session.execute(of_run).one()
        if run_type != "scheduled":
            return None
        return counted_from(due, timezone.utcnow(), timedelta(minutes=self.minutes))

    def serialize_reference(self) -> dict[str, Any]:
        return {**super().serialize_reference(), "minutes": self.minutes}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> "DailyRunDeadline":
        return cls(reference_data["minutes"])


def counted_from(due: datetime, created: datetime, time_to_end: timedelta) -> datetime:
    """From when a run that was due at a time has its time to end, by when it was created."""
    return due if created - due < time_to_end / 2 else created
