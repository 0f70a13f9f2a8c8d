"""`weixin-etl answers`: what WeChat answered, to a file, a pipe or a terminal."""

import sys
from datetime import date

from weixin_etl.datasets import Dataset
from weixin_etl.kept.answers import answer_line, answers_of_pair
from weixin_etl.model import ParameterError
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.text import shown


def list_answers(dataset: Dataset, account: str, day: date) -> None:
    """Print a line per distinct answer of a pair."""
    kept = answers_of_pair(open_warehouse(), dataset, account, day)
    sys.stdout.write("".join(f"{answer_line(answer)}\n" for answer in kept))


def show_answer(dataset: Dataset, account: str, day: date, raw_response_id: int | None) -> None:
    """
    Print one of them, the one seen last if none is named: its bytes; on a terminal as text.

    Raises:
        ParameterError: there is no such answer.
    """
    kept = answers_of_pair(open_warehouse(), dataset, account, day)
    wanted = [it for it in kept if raw_response_id in (None, it.raw_response_id)]
    if not wanted:
        raise ParameterError(f"{raw_response_id} is not one of the answers that --list shows")
    body = wanted[-1].body
    if sys.stdout.isatty():
        body = shown(body.decode(errors="replace")).encode()
    sys.stdout.buffer.write(body)
