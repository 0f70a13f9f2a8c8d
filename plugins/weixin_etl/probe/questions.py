"""What no document says of WeChat, and what an account's answers say of it: pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from weixin_etl import clock
from weixin_etl.api.client import Answer
from weixin_etl.json_text import counted, one_line
from weixin_etl.model import SaidQuota, few_names
from weixin_etl.parse.articles import ATTRIBUTES
from weixin_etl.probe.asking import days_to_ask
from weixin_etl.probe.judging import Seen, parts_above

_NOT_KNOWN = "not known"
_ALL_SCENES = "全部"


def settled(datasets: Sequence[Seen]) -> dict[str, list[tuple[str, str]]]:
    """Each open question with what these answers say of it, by dataset."""
    said = {it.dataset.name: [*_of_dataset(it)] for it in datasets}
    for it in datasets:
        for other in datasets:
            if other.dataset.name == it.dataset.successor:
                same = _same_articles(it, other)
                said[it.dataset.name].append(("Does its successor list the same articles?", same))
    return said


def _of_dataset(it: Seen) -> Iterator[tuple[str, str]]:
    dataset, rows = it.dataset, [row for article in it.articles for row in article.rows.values()]
    offline = "yes" if it.is_offline else "no" if it.looks else _NOT_KNOWN
    yield f"Has WeChat retired {dataset.endpoint}?", offline
    quota = it.asked.quota
    limit = str(quota.limit) if isinstance(quota, SaidQuota) else "WeChat does not say"
    yield "How many calls a day are allowed?", limit
    yield f"Rows of an article in the end, {dataset.window} or more?", _rows_in_the_end(it)
    yield "Are yesterday's figures there at this hour?", _yesterday(it)
    yield "How is is_delay written?", _is_delay(it)
    yield "What are answers written in?", _written(it)
    if not it.articles:
        return
    odd = [article.msgid for article in it.articles if article.message == (None, None)]
    forms = f"{len(odd)} of {len(it.articles)} are not" if odd else "yes"
    yield "Is each msgid <message>_<position>?", forms
    given = [name for name in ATTRIBUTES if any(name in found.given for found in it.looks)]
    yield "What is given of an article beside its rows?", few_names(given) or "nothing"
    merged = sum(found.parsed.merged_rows for found in it.looks)
    yield "Is an article listed twice in an answer?", "yes" if merged else "no"
    if any(metric.whole for metric in dataset.metrics):
        above = sum(parts_above(dataset, row) > 0 for row in rows)
        yield "Do parts exceed their whole?", f"in {above} of {counted(len(rows), 'row')}"
    for metric in dataset.lists:
        if "scene_desc" in metric.entry_keys:
            yield f"Which scenes are in {metric.name}?", _scenes(it, metric.name)


def _rows_in_the_end(it: Seen) -> str:
    """By the day before the window, whose articles have all they ever get."""
    day = days_to_ask(it.dataset, clock.beijing_date(clock.now()))[-1]
    looks = [found for found in it.looks if found.day == day]
    counts = Counter(
        len(article.rows) for found in looks for article in found.parsed.articles.values()
    )
    if not counts:
        return f"{_NOT_KNOWN}: no article on {day}"
    return ", ".join(f"{rows} ({counted(n, 'article')})" for rows, n in sorted(counts.items()))


def _yesterday(it: Seen) -> str:
    days = [day for day in it.asked.days if isinstance(day.outcome, Answer)]
    if not days or not it.articles:
        return _NOT_KNOWN
    outcome = days[0].outcome
    assert isinstance(outcome, Answer)  # noqa: S101 # by the list above
    at = clock.beijing_text(outcome.fetched_at, pattern="%H:%M")
    yesterday = max(days_to_ask(it.dataset, clock.beijing_date(outcome.fetched_at)))
    has_it = any(yesterday in article.rows for article in it.articles)
    return f"{'yes' if has_it else 'no'}, at {at}"


def _is_delay(it: Seen) -> str:
    given = {
        found.odd.get("is_delay", "a boolean") for found in it.looks if "is_delay" in found.given
    }
    return " and ".join(sorted(given)) or "it is not given"


def _written(it: Seen) -> str:
    kinds = {
        f"{one_line(day.response.content_type, 60) or 'no Content-Type'}; {found.charset or '?'}"
        for day in it.asked.days
        for found in it.looks
        if found.day == day.day and day.response
    }
    return " and ".join(sorted(kinds)) or _NOT_KNOWN


def _scenes(it: Seen, name: str) -> str:
    rows = [row for article in it.articles for row in article.rows.values()]
    readers = it.dataset.readers
    lists = [(getattr(row, readers), getattr(row, name) or []) for row in rows]
    named = {
        str(entry.get("scene_desc")): None
        for _, entries in lists
        for entry in entries
        if isinstance(entry, dict)
    }
    wholes = [
        entry.get("user_count") == whole
        for whole, entries in lists
        for entry in entries
        if isinstance(entry, dict) and entry.get("scene_desc") == _ALL_SCENES
    ]
    if not named:
        return "none"
    are = "is" if all(wholes) else "is not always"
    whole = f"; {_ALL_SCENES} {are} {readers}" if wholes else ""
    return few_names([one_line(it, 20) for it in named]) + whole


def _same_articles(first: Seen, second: Seen) -> str:
    others = {found.day: set(found.parsed.articles) for found in second.looks}
    same = [
        set(found.parsed.articles) == others[found.day]
        for found in first.looks
        if found.day in others
    ]
    if not same:
        return _NOT_KNOWN
    return f"on {sum(same)} of {counted(len(same), 'day')}"
