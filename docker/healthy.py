"""
The containers' health check: exit code 0 if the named component is healthy.

Airflow reports its own; a Celery worker is in no report, and is asked by way of Redis.
"""

import json
import os
import socket
import sys
import urllib.request

HEALTH = "http://api-server:8080/api/v2/monitor/health"


def reported(part: str) -> str | None:
    """What is wrong with a part of Airflow."""
    with urllib.request.urlopen(HEALTH, timeout=10) as answer:
        state = json.load(answer)[part]
    return f"{part}: {state}" if state["status"] != "healthy" else None


def silent_worker() -> str | None:
    """Whether the Celery worker of this container does not answer."""
    from celery import Celery

    name = f"celery@{socket.gethostname()}"
    app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    answers = app.control.inspect([name], timeout=5).ping()
    return None if answers else f"{name} does not answer"


part = sys.argv[1]
sys.exit(silent_worker() if part == "worker" else reported(part))
