"""Loggers that say nothing for a while, since what they would say is said elsewhere."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def only_from(level: int, name: str) -> Iterator[None]:
    """Let the logger of that name log nothing below the level; afterwards it is as it was."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
