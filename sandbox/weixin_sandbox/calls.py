"""How WeChat decides each call, without HTTP."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta

from weixin_sandbox.accounts import Account
from weixin_sandbox.answers import Answer, Json, RefusedError, Row, to_bytes
from weixin_sandbox.component import Authorization
from weixin_sandbox.endpoints import ENDPOINTS, Endpoint
from weixin_sandbox.scenarios import Effect
from weixin_sandbox.wechat import WeChat

_LONGEST_PAGE = 500


@dataclass
class Asked:
    """One call as it came in; the account and day are filled in once they are understood."""

    path: str
    query: Mapping[str, str]
    body: bytes
    authorization: str = ""
    appid: str | None = None
    publication_date: date | None = None


Decide = Callable[[WeChat, Asked], Answer]
"""Raises RefusedError where WeChat refuses."""


def stable_token(wechat: WeChat, asked: Asked) -> Answer:
    """`POST /cgi-bin/stable_token`."""
    fields = _json_object(asked.body)
    asked.appid, secret = _text(fields, "appid"), fields.get("secret")
    if fields.get("grant_type") != "client_credential":
        raise RefusedError(40002)
    if asked.appid is None:
        raise RefusedError(41002)
    if not secret:
        raise RefusedError(41004)
    account = wechat.accounts.get(asked.appid)
    if account is None:
        raise RefusedError(40013)
    if secret != account.secret:
        raise RefusedError(40125)
    return _issued(wechat, account.appid, wechat.tokens.stable)


def quota(wechat: WeChat, asked: Asked) -> Answer:
    """`POST /cgi-bin/openapi/quota/get`: how much of an endpoint's day is used."""
    appid = _authorised(wechat, asked)
    path = _json_object(asked.body).get("cgi_path")
    if not isinstance(path, str) or path not in ENDPOINTS:
        raise RefusedError(76021)
    limit, used = wechat.daily_limit, wechat.counted[appid, path, wechat.beijing_today]
    numbers: Row = {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}
    fields: Row = {"errcode": 0, "errmsg": "ok", "quota": numbers}
    return _answered(wechat, "quota", appid, lambda: fields)


def data(wechat: WeChat, asked: Asked) -> Answer:
    """A statistics endpoint: one account, one day."""
    endpoint = ENDPOINTS[asked.path]
    appid, today = _authorised(wechat, asked), wechat.beijing_today
    _check_permission(wechat, asked, endpoint)
    day = _day(asked, endpoint, today)
    if wechat.counted[appid, asked.path, today] >= wechat.daily_limit:
        raise RefusedError(45009)
    wechat.counted[appid, asked.path, today] += 1
    effect = wechat.effect("data", appid, day, endpoint.name)
    if effect and effect.expires_token:
        wechat.tokens.expire(asked.query["access_token"])
    _refuse(effect)
    is_delay: bool | str = False
    items = endpoint.items(wechat.seed, appid, day, today)
    if effect and effect.edit:
        yesterday = today - timedelta(days=1)
        items = effect.edit(items, yesterday)
        is_delay = endpoint.is_counting(day, yesterday) and effect.is_delay
    return _delivered(wechat, effect, Answer(endpoint.body(items, is_delay=is_delay)))


def component_token(wechat: WeChat, asked: Asked) -> Answer:
    """`POST /cgi-bin/component/api_component_token`: a ticket for a platform's token."""
    fields = _json_object(asked.body)
    asked.appid = _text(fields, "component_appid")
    _check_component(wechat, asked, fields)
    if fields.get("component_appsecret") != wechat.component.secret:
        raise RefusedError(40125)

    def issue() -> Row:
        token, seconds = wechat.component.issue_token(fields.get("component_verify_ticket"))
        return {"component_access_token": token, "expires_in": seconds}

    return _answered(wechat, "token", wechat.component.appid, issue)


def authorizer_token(wechat: WeChat, asked: Asked) -> Answer:
    """`POST /cgi-bin/component/api_authorizer_token`: a new token to call for an account."""
    fields, appid = _of_authorizer(wechat, asked)

    def issue() -> Row:
        given = fields.get("authorizer_refresh_token")
        token, seconds, refresh_token = wechat.component.refresh(appid, given)
        return {
            "authorizer_access_token": token,
            "expires_in": seconds,
            "authorizer_refresh_token": refresh_token,
        }

    return _answered(wechat, "token", appid, issue)


def authorizer_list(wechat: WeChat, asked: Asked) -> Answer:
    """`POST /cgi-bin/component/api_get_authorizer_list`: a page of who authorised it."""
    fields = _json_object(asked.body)
    asked.appid = _text(fields, "component_appid")
    _check_component(wechat, asked, fields)
    offset, count = fields.get("offset"), fields.get("count")
    if not isinstance(offset, int) or not isinstance(count, int):
        raise RefusedError(40097)
    if offset < 0 or not 1 <= count <= _LONGEST_PAGE:
        raise RefusedError(40097)
    total, authorizations = wechat.component.page(offset, count)
    listed: list[Json] = [
        {
            "authorizer_appid": it.appid,
            "refresh_token": it.refresh_token,
            "auth_time": it.auth_time,
        }
        for it in authorizations
    ]
    page: Row = {"total_count": total, "list": listed}
    return _answered(wechat, "list", wechat.component.appid, lambda: page)


def authorizer_info(wechat: WeChat, asked: Asked) -> Answer:
    """`POST /cgi-bin/component/api_get_authorizer_info`: who an account is, what it granted."""
    _, appid = _of_authorizer(wechat, asked)

    def info() -> Row:
        return _info(wechat.component.authorization(appid), wechat.accounts[appid])

    return _answered(wechat, "info", appid, info)


def token_service(wechat: WeChat, asked: Asked) -> Answer:
    """`GET /token-service`: a company's own server, which answers with HTTP statuses."""
    service = wechat.token_service
    asked.appid = asked.query.get("appid")
    if service.bearer is not None and asked.authorization != f"Bearer {service.bearer}":
        answer = Answer(to_bytes({"error": "the bearer token is wrong"}), errcode=None, status=401)
    elif asked.appid is None:
        accounts = wechat.accounts.values()
        listed: list[Json] = [{"appid": it.appid, "name": it.name} for it in accounts]
        answer = Answer(to_bytes(listed))
    elif asked.appid not in wechat.accounts:
        answer = Answer(to_bytes({"error": "there is no such appid"}), errcode=None, status=404)
    else:
        answer = _issued(wechat, asked.appid, service.token)
    return replace(answer, content_type="application/json")


def _info(authorization: Authorization, account: Account) -> Row:
    granted: list[Json] = [{"funcscope_category": {"id": it}} for it in account.permission_sets]
    of_account: Row = {
        "authorizer_appid": authorization.appid,
        "authorizer_refresh_token": authorization.refresh_token,
        "func_info": granted,
    }
    names: Row = {"nick_name": account.name, "alias": ""}
    if account.is_mini_program:
        names["MiniProgramInfo"] = {"visit_status": 0}
    return {"authorizer_info": names, "authorization_info": of_account}


def _issued(wechat: WeChat, appid: str, issue: Callable[[str], tuple[str, int]]) -> Answer:
    def fields() -> Row:
        token, seconds = issue(appid)
        return {"access_token": token, "expires_in": seconds}

    return _answered(wechat, "token", appid, fields)


def _answered(wechat: WeChat, call: str, appid: str, fields: Callable[[], Row]) -> Answer:
    """The answer with these fields, which are made unless a scenario refuses the call."""
    effect = wechat.effect(call, appid)
    _refuse(effect)
    return _delivered(wechat, effect, Answer(to_bytes(fields())))


def _refuse(effect: Effect | None) -> None:
    if effect and effect.errcode is not None:
        raise RefusedError(effect.errcode)


def _delivered(wechat: WeChat, effect: Effect | None, answer: Answer) -> Answer:
    if effect is None:
        return answer
    hold_seconds = wechat.slow_seconds if effect.is_slow else 0
    return replace(answer, hold_seconds=hold_seconds, **effect.answer)


def _json_object(body: bytes) -> dict[str, object]:
    if not body:
        raise RefusedError(44002)
    with suppress(ValueError):
        fields = json.loads(body)
        if isinstance(fields, dict):
            return fields
    raise RefusedError(47001)


def _check_component(wechat: WeChat, asked: Asked, fields: Mapping[str, object]) -> None:
    """Let a call with the component's appid pass, and with its token where it asks with one."""
    if not asked.path.endswith("/api_component_token"):
        wechat.component.tokens.check(_token(asked, "component_access_token"))
    if not fields.get("component_appid"):
        raise RefusedError(41002)
    if fields["component_appid"] != wechat.component.appid:
        raise RefusedError(40013)


def _of_authorizer(wechat: WeChat, asked: Asked) -> tuple[dict[str, object], str]:
    """The fields and the account's appid of a component's call about one account."""
    fields = _json_object(asked.body)
    asked.appid = _text(fields, "authorizer_appid")
    _check_component(wechat, asked, fields)
    if asked.appid is None:
        raise RefusedError(41002)
    return fields, asked.appid


def _token(asked: Asked, name: str) -> str:
    if not asked.query.get(name):
        raise RefusedError(41001)
    return asked.query[name]


def _authorised(wechat: WeChat, asked: Asked) -> str:
    """The appid of a call with a token in force."""
    token = _token(asked, "access_token")
    asked.appid = wechat.tokens.owner(token)
    if asked.appid is not None and wechat.tokens.is_of_component(token):
        wechat.component.authorization(asked.appid)
    return wechat.tokens.check(token)


def _text(fields: Mapping[str, object], key: str) -> str | None:
    value = fields.get(key)
    return value if isinstance(value, str) and value else None


def _check_permission(wechat: WeChat, asked: Asked, endpoint: Endpoint) -> None:
    """Let an Official Account pass; with a platform's token, one that has granted the endpoint."""
    account = wechat.accounts[asked.appid or ""]
    if account.is_mini_program:
        raise RefusedError(61502)
    is_of_component = wechat.tokens.is_of_component(asked.query["access_token"])
    if is_of_component and endpoint.dataset.permission_set not in account.permission_sets:
        raise RefusedError(61007)


def _day(asked: Asked, endpoint: Endpoint, today: date) -> date:
    """The one day that is asked for."""
    fields, first = _json_object(asked.body), endpoint.dataset.first_day
    begin, end = _date(fields, "begin_date"), _date(fields, "end_date")
    asked.publication_date = begin
    yesterday = today - timedelta(days=1)
    wrong = {
        "end_date is before begin_date": end < begin,
        "begin_date and end_date may span 1 day": begin != end,
        f"end_date may be {yesterday} at the latest": end > yesterday,
        f"begin_date may be {first} at the earliest": begin < first,
    }
    for reason, is_so in wrong.items():
        if is_so:
            raise RefusedError(61501, reason)
    return begin


def _date(fields: Mapping[str, object], key: str) -> date:
    text = fields.get(key)
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise RefusedError(61500, f"{key} is not YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RefusedError(61500, f"{key} is no day of the calendar") from None
