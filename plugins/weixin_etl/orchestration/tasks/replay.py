"""The replay's tasks as Airflow runs them."""

import logging

from airflow.sdk import Context, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from weixin_etl.kept.replay import Replayed, replay
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.orchestration.tasks import run_context
from weixin_etl.orchestration.tasks.ending import readable_ending

log = logging.getLogger(__name__)

_LINES_A_REPLAY = 20
"""Lines in the log on how far it has come."""


@readable_ending()
def diff() -> None:
    """Log what the replay of the form would change."""
    context = get_current_context()
    run_context.require_known_parameters(context)
    _log(_replayed(context, is_applied=False))


@readable_ending()
def apply() -> None:
    """Replay what the form selects, if it says so."""
    context = get_current_context()
    if not context["params"]["apply"]:
        raise AirflowSkipException("only the difference was asked for: see the log of diff")
    _log(_replayed(context, is_applied=True))


def _replayed(context: Context, *, is_applied: bool) -> Replayed:
    selection = run_context.selected_by(context["params"])
    said = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal said
        if (part := done * _LINES_A_REPLAY // total) > said:
            said = part
            log.info("%s of %s answers read", done, total)

    return replay(
        open_warehouse(),
        selection,
        ready_hour=settings.read().pipeline.ready_hour,
        is_applied=is_applied,
        on_progress=on_progress,
    )


def _log(replayed: Replayed) -> None:
    for line in replayed.sentences():
        log.info("%s", line)
