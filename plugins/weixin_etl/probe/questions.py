"""What no document says of WeChat, and what an account's answers say of it: pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from weixin_etl import clock
from weixin_etl.api.client import SaidQuota
from weixin_etl.parse import ATTRIBUTES
from weixin_etl.probe.judging import Seen, parts_above
from weixin_etl.text import counted, few_names, one_line

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
    dataset = it.dataset
    offline = "yes" if it.is_offline else "no" if it.shapes else _NOT_KNOWN
    yield f"Has WeChat retired {dataset.endpoint}?", offline
    quota = it.asked.quota
    limit = str(quota.limit) if isinstance(quota, SaidQuota) else "WeChat does not say"
    yield "How many calls a day are allowed?", limit
    if dataset.describes_articles:
        yield f"Rows of an article in the end, {dataset.window} or more?", _rows_in_the_end(it)
    yield "Are yesterday's figures there at this hour?", _yesterday(it)
    yield "How is is_delay written?", _is_delay(it)
    yield "What are answers written in?", _written(it)
    if it.articles and dataset.describes_articles:
        yield from _of_articles(it)
    for metric in dataset.lists:
        if it.articles and "scene_desc" in metric.entry_keys.split():
            yield f"Which scenes are in {metric.name}?", _scenes(it, metric.name)


def _of_articles(it: Seen) -> Iterator[tuple[str, str]]:
    odd = [article.msgid for article in it.articles if article.message == (None, None)]
    forms = f"{len(odd)} of {len(it.articles)} are not" if odd else "yes"
    yield "Is each msgid <message>_<position>?", forms
    given = [name for name in ATTRIBUTES if any(name in found.given for found in it.shapes)]
    yield "What is given of an article beside its rows?", few_names(given) or "nothing"
    twice = "yes" if any(found.lists_twice for found in it.shapes) else "no"
    yield "Is an article listed twice in an answer?", twice
    if any(metric.whole for metric in it.dataset.metrics):
        rows = [row for article in it.articles for row in article.rows.values()]
        above = sum(parts_above(it.dataset, row) > 0 for row in rows)
        yield "Do parts exceed their whole?", f"in {above} of {counted(len(rows), 'row')}"


def _rows_in_the_end(it: Seen) -> str:
    """Asks for the day before the window, whose articles have all they ever get."""
    day = min(day.day for day in it.asked.days)
    shapes = [found for found in it.shapes if found.day == day and len(it.asked.days) > 1]
    if not shapes:
        return _NOT_KNOWN
    articles = [article for found in shapes for article in found.parsed.articles.values()]
    counts = sorted(Counter(len(article.rows) for article in articles).items())
    said = ", ".join(f"{rows} ({counted(count, 'article')})" for rows, count in counts)
    return said or f"{_NOT_KNOWN}: no article on {day}"


def _yesterday(it: Seen) -> str:
    first = it.asked.days[0]
    if not first.answer or not it.articles:
        return _NOT_KNOWN
    has_it = any(first.day in article.rows for article in it.articles)
    at = clock.beijing_text(first.answer.fetched_at, pattern="%H:%M")
    return f"{'yes' if has_it else 'no'}, at {at}"


def _is_delay(it: Seen) -> str:
    if not it.shapes:
        return _NOT_KNOWN
    given = {
        found.odd.get("is_delay", "a boolean") for found in it.shapes if "is_delay" in found.given
    }
    return " and ".join(sorted(given)) or "it is not given"


def _written(it: Seen) -> str:
    kinds = {
        f"{one_line(day.content_type, 60) or 'no Content-Type'}; {found.charset or '?'}"
        for day in it.asked.days
        for found in it.shapes
        if found.day == day.day
    }
    return " and ".join(sorted(kinds)) or _NOT_KNOWN


def _scenes(it: Seen, name: str) -> str:
    scenes: dict[str, None] = {}
    is_whole = True
    for row in (row for article in it.articles for row in article.rows.values()):
        for entry in getattr(row, name) or []:
            scene = entry.get("scene_desc") if isinstance(entry, dict) else None
            scenes[one_line(str(scene), 20)] = None
            if scene == _ALL_SCENES:
                is_whole &= entry.get("user_count") == getattr(row, it.dataset.readers)
    whole = f"; {_ALL_SCENES} is {'' if is_whole else 'not always '}{it.dataset.readers}"
    return few_names([*scenes]) + (whole if _ALL_SCENES in scenes else "")


def _same_articles(first: Seen, second: Seen) -> str:
    others = {found.day: {*found.parsed.articles} for found in second.shapes}
    both = [found for found in first.shapes if found.day in others]
    same = sum({*found.parsed.articles} == others[found.day] for found in both)
    return f"on {same} of {counted(len(both), 'day')}" if both else _NOT_KNOWN
