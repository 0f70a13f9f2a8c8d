"""A fault of the program: where it was raised, collapsed in the log, and its line."""

import logging
import traceback

from weixin_etl.json_text import one_line, shown
from weixin_etl.model import Problem, ProblemKind


def log_frames(log: logging.Logger, error: BaseException) -> None:
    """Log the frames between the marks by which Airflow's UI collapses them."""
    log.info("::group::Where it was raised")
    log.info("%s", shown("".join(traceback.format_exception(error))))
    log.info("::endgroup::")


def fault(error: BaseException) -> Problem:
    """The trouble, for the line below the frames."""
    cause = first_line(error)
    return Problem(ProblemKind.PROGRAM, cause, cure="report it, with the lines above")


def first_line(error: BaseException) -> str:
    """The error's class and first line; the driver's line where SQLAlchemy wraps its error."""
    said = str(getattr(error, "orig", None) or error).strip()
    name = type(error).__name__
    return f"{name}: {one_line(said.splitlines()[0])}" if said else name
