"""The form of each DAG: what somebody who triggers a run may enter, and nothing else."""

import difflib
from collections.abc import Iterable

from airflow.sdk import Param

from weixin_etl.datasets import DATASETS
from weixin_etl.json_text import one_line


def _day(title: str, description: str) -> Param:
    """A day that may be left empty."""
    return Param(None, type=["null", "string"], format="date", title=title, description=description)


def _accounts(description: str) -> Param:
    """Names, one a line, or none."""
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Accounts",
        description=description,
    )


def _switch(title: str, description: str) -> Param:
    """Off unless somebody turns it on."""
    return Param(False, type="boolean", title=title, description=description)


DAILY = {
    "begin_date": _day(
        "First publication day",
        "Beijing. Leave both days empty for the look-back window, and with Airflow's Backfill: its "
        "dates are mornings of runs.",
    ),
    "end_date": _day("Last publication day", "Beijing, included; yesterday at the latest."),
    "accounts": _accounts("Connection ids or AppIDs, one a line. Empty: all."),
    "refetch": _switch(
        "Ask again for final days",
        "Final days are skipped otherwise: their totals no longer grow.",
    ),
    "dry_run": _switch(
        "Only show the plan",
        "The log of the task plan shows what would be asked for.",
    ),
}
REPLAY = {
    "dataset": Param(
        next(iter(DATASETS)),
        enum=list(DATASETS),
        title="Dataset",
        description="Which endpoint's answers to replay.",
    ),
    "accounts": _accounts("AppIDs, connection ids or names, one a line. Empty: all."),
    "begin_date": _day("First publication day", "Beijing. Empty: the first there is."),
    "end_date": _day("Last publication day", "Beijing, included. Empty: the last there is."),
    "apply": _switch(
        "Write the difference",
        "Otherwise only the log of the task diff shows it.",
    ),
}
FORMS = {dataset.dag_id: DAILY for dataset in DATASETS.values()} | {"weixin_replay": REPLAY}
"""The form of each DAG, by its id."""

_LONGEST_NAME = 40
_NAMES_IN_SENTENCE = 3


def unknown_parameters(entered: Iterable[str], known: Iterable[str]) -> str:
    """
    What is wrong with the names that were entered, each with the nearest known one; else "".

    Airflow takes a name it does not know without a word: a run limited by `acounts` is not limited.
    """
    names = list(known)
    unknown = sorted(set(entered).difference(names))
    sentences = [
        f"{one_line(name, _LONGEST_NAME)} is no parameter{_nearest(name, names)}"
        for name in unknown[:_NAMES_IN_SENTENCE]
    ]
    if len(unknown) > _NAMES_IN_SENTENCE:
        sentences.append(f"And {len(unknown) - _NAMES_IN_SENTENCE} more.")
    return " ".join(sentences)


def _nearest(name: str, names: list[str]) -> str:
    """The name that was meant, or all of them when it is like none."""
    near = difflib.get_close_matches(name[:_LONGEST_NAME].lower(), names, n=1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(names)}."
