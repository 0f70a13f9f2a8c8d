#!/usr/bin/env python
"""
The containers' health check: exit code 0 if what this one runs is healthy.

Airflow reports its own parts; a Celery worker is in no report, and is asked by way of Redis.
"""

import json
import os
import socket
import sys
import urllib.request
from pathlib import Path

PARTS = {"api-server": "metadatabase", "dag-processor": "dag_processor"}
"""What the report calls a command, where it is not by its name."""


def reported(part: str) -> str | None:
    """What is wrong with a part of Airflow."""
    url = "http://api-server:8080/api/v2/monitor/health"
    with urllib.request.urlopen(url, timeout=10) as answer:
        state = json.load(answer)[part]
    return f"{part}: {state}" if state["status"] != "healthy" else None


def silent_worker() -> str | None:
    """Whether the Celery worker of this container does not answer."""
    from celery import Celery

    name = f"celery@{socket.gethostname()}"
    app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    answers = app.control.inspect([name], timeout=5).ping()
    return None if answers else f"{name} does not answer"


words = Path("/proc/1/cmdline").read_text().split("\0")  # of init: … airflow scheduler …
command = words[next(n for n, word in enumerate(words) if word.endswith("airflow")) + 1]
sys.exit(silent_worker() if command == "celery" else reported(PARTS.get(command, command)))
