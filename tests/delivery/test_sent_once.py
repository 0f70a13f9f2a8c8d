"""A day's digest is sent once, however many processes send it and wherever one is killed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from support import execute, rows

from weixin_etl.delivery.digest import send_digest
from weixin_etl.health.notifications import Installation, Notification

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Team:
    """Those who get the digest."""

    def __init__(self) -> None:
        self.messages: list[Notification] = []

    def send(self, warehouse: Engine) -> str | None:
        """Send the digest of 23 November at noon of the next day."""
        installation = Installation("")
        return send_digest(warehouse, self.messages.append, now=NOON, installation=installation)


def test_two_processes_at_once_send_one_message(hostile: Engine) -> None:
    """The second one waits for the first, and says when that sent it."""
    team = Team()
    with ThreadPoolExecutor(4) as threads:
        reasons = [*threads.map(team.send, [hostile] * 4)]

    assert len(team.messages) == 1
    sent = "the digest of 2026-11-23 was sent at 2026-11-24 12:00 Beijing time"
    assert sorted(map(str, reasons)) == ["None", sent, sent, sent]


def test_a_replay_sends_no_second_message(hostile: Engine) -> None:
    """Neither does a correction of the day's figures."""
    team = Team()
    team.send(hostile)
    execute(hostile, "UPDATE weixin.fact_article_total SET int_page_read_user = 7")
    assert team.send(hostile) is not None
    assert len(team.messages) == 1


def test_a_kill_before_the_delivery_sends_it_later(hostile: Engine) -> None:
    """Nothing is recorded of a digest that nobody got."""

    def killed(_message: Notification) -> None:
        execute(hostile, OTHER_SESSIONS)
        raise KeyboardInterrupt

    with pytest.raises(OperationalError):
        send_digest(hostile, killed, now=NOON, installation=Installation(""))
    hostile.dispose()
    assert rows(hostile, "SELECT * FROM weixin.digest") == []
    assert Team().send(hostile) is None


def test_a_kill_between_the_delivery_and_the_commit_sends_it_twice(hostile: Engine) -> None:
    """That is the one way to a second message: rather twice than never."""
    team = Team()

    def killed(message: Notification) -> None:
        team.messages.append(message)
        execute(hostile, OTHER_SESSIONS)

    with pytest.raises(OperationalError):
        send_digest(hostile, killed, now=NOON, installation=Installation(""))
    hostile.dispose()
    assert team.send(hostile) is None
    assert [message.title for message in team.messages] == ["WeChat, 2026-11-23 (Mon)"] * 2
