"""Where a fault of the program was raised, collapsed in the log so that sentences stay in view."""

import logging
import traceback


def log_frames(log: logging.Logger, error: BaseException) -> None:
    """Log the frames between the marks by which Airflow's UI collapses them."""
    log.info("::group::Where it was raised")
    log.info("%s", "".join(traceback.format_exception(error)))
    log.info("::endgroup::")


def first_line(error: BaseException) -> str:
    """The error's class and first line; the driver's line where SQLAlchemy wraps its error."""
    said = str(getattr(error, "orig", None) or error).strip()
    name = type(error).__name__
    return f"{name}: {said.splitlines()[0]}" if said else name
