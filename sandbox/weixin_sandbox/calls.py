"""How the platform decides each call, without HTTP."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from weixin_sandbox.answers import Answer, to_bytes
from weixin_sandbox.effects import Effect
from weixin_sandbox.endpoints import ENDPOINTS, Endpoint
from weixin_sandbox.errcodes import RefusedError
from weixin_sandbox.platform import Platform
from weixin_sandbox.scenarios import QUOTA_CALL


@dataclass
class Asked:
    """One call as it came in; the account and day are filled in once they are understood."""

    path: str
    query: Mapping[str, str]
    body: bytes
    appid: str | None = None
    publication_date: date | None = None


Decide = Callable[[Platform, Asked], Answer]
"""Raises RefusedError where the platform refuses."""


def stable_token(platform: Platform, asked: Asked) -> Answer:
    """`POST /cgi-bin/stable_token`."""
    fields = _json_object(asked.body)
    appid = _authenticated(platform, asked, fields)
    if fields.get("force_refresh") is True:
        return _issued(platform, appid, lambda: _forced(platform, appid))
    return _issued(platform, appid, lambda: platform.tokens.stable(appid))


def classic_token(platform: Platform, asked: Asked) -> Answer:
    """`GET /cgi-bin/token`."""
    appid = _authenticated(platform, asked, asked.query)
    return _issued(platform, appid, lambda: platform.tokens.classic(appid))


def quota(platform: Platform, asked: Asked) -> Answer:
    """`POST /cgi-bin/openapi/quota/get`: how much of an endpoint's day is used."""
    appid = _authorised(platform, asked)
    path = _json_object(asked.body).get("cgi_path")
    if not isinstance(path, str) or path not in ENDPOINTS:
        raise RefusedError(76021)
    effect = platform.scenarios.take(appid, endpoint=QUOTA_CALL)
    _refuse(effect)
    limit = platform.quota.daily_limit
    used = platform.quota.used(appid, path, platform.beijing_today)
    numbers = {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}
    answer = Answer(to_bytes({"errcode": 0, "errmsg": "ok", "quota": {**numbers}}))
    return _delivered(platform, effect, answer)


def data(platform: Platform, asked: Asked) -> Answer:
    """A statistics endpoint: one account, one publication day."""
    endpoint = ENDPOINTS[asked.path]
    appid = _authorised(platform, asked)
    today = platform.beijing_today
    day = _publication_day(asked, endpoint, today)
    platform.quota.count(appid, asked.path, today)
    effect = platform.scenarios.take(appid, day, endpoint.name)
    if effect and effect.expires_token:
        platform.tokens.expire(asked.query["access_token"])
    _refuse(effect)
    yesterday = today - timedelta(days=1)
    items = endpoint.items(platform.seed, appid, day, today)
    is_delay: bool | str = False
    if effect and effect.edit:
        items = effect.edit(items, yesterday)
        is_delay = effect.is_delay if endpoint.is_counting(day, yesterday) else False
    return _delivered(platform, effect, Answer(endpoint.body(items, is_delay=is_delay)))


def _forced(platform: Platform, appid: str) -> tuple[str, int]:
    return platform.tokens.force_refresh(appid, platform.beijing_today)


def _issued(platform: Platform, appid: str, issue: Callable[[], tuple[str, int]]) -> Answer:
    effect = platform.scenarios.take(appid)
    _refuse(effect)
    token, seconds = issue()
    body = to_bytes({"access_token": token, "expires_in": seconds})
    return _delivered(platform, effect, Answer(body))


def _refuse(effect: Effect | None) -> None:
    if effect and effect.errcode is not None:
        raise RefusedError(effect.errcode)


def _delivered(platform: Platform, effect: Effect | None, answer: Answer) -> Answer:
    if effect and effect.deliver:
        return effect.deliver(answer, platform.slow_seconds)
    return answer


def _json_object(body: bytes) -> dict[str, object]:
    if not body:
        raise RefusedError(44002)
    try:
        fields = json.loads(body)
    except ValueError:
        raise RefusedError(47001) from None
    if not isinstance(fields, dict):
        raise RefusedError(47001)
    return fields


def _authenticated(platform: Platform, asked: Asked, fields: Mapping[str, object]) -> str:
    """The appid of a token call with the right secret."""
    appid, secret = fields.get("appid"), fields.get("secret")
    asked.appid = appid if isinstance(appid, str) and appid else None
    if fields.get("grant_type") != "client_credential":
        raise RefusedError(40002)
    if asked.appid is None:
        raise RefusedError(41002)
    if not secret:
        raise RefusedError(41004)
    account = platform.accounts.get(asked.appid)
    if account is None:
        raise RefusedError(40013)
    if secret != account.secret:
        raise RefusedError(40125)
    return account.appid


def _authorised(platform: Platform, asked: Asked) -> str:
    """The appid of a call with a token in force."""
    token = asked.query.get("access_token")
    if not token:
        raise RefusedError(41001)
    asked.appid = platform.tokens.owner(token)
    return platform.tokens.check(token)


def _publication_day(asked: Asked, endpoint: Endpoint, today: date) -> date:
    fields = _json_object(asked.body)
    begin, end = _date(fields, "begin_date"), _date(fields, "end_date")
    asked.publication_date = begin
    yesterday = today - timedelta(days=1)
    if end < begin:
        raise RefusedError(61501, "end_date is before begin_date")
    if begin != end:
        raise RefusedError(61501, "begin_date and end_date may span 1 day")
    if end > yesterday:
        raise RefusedError(61501, f"end_date may be {yesterday} at the latest")
    if begin < endpoint.first_date:
        raise RefusedError(61501, f"begin_date may be {endpoint.first_date} at the earliest")
    return begin


def _date(fields: Mapping[str, object], key: str) -> date:
    text = fields.get(key)
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise RefusedError(61500, f"{key} is not YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RefusedError(61500, f"{key} is no day of the calendar") from None
