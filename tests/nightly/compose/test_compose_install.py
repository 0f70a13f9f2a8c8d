"""`docker compose up` with a generated `.env` is a whole, closed Airflow that does its work."""

import json
import re
from functools import partial

import pytest
import requests
from installation import DAG, Installation
from support.rest import REQUEST_SECONDS

from weixin_sandbox import DEFAULT_ACCOUNT

GATEWAY = "{{ (index .IPAM.Config 0).Gateway }}"
"""From where a proxy on this machine comes to a published port."""
SERVICES = {"api-server", "dag-processor", "postgres", "sandbox", "scheduler", "triggerer"}
get = partial(requests.get, timeout=REQUEST_SECONDS)


@pytest.fixture(scope="module")
def run_id(installation: Installation) -> str:
    """A run triggered by REST that has succeeded."""
    run = installation.rest().run(DAG)
    assert run["state"] == "success"
    return str(run["dag_run_id"])


@pytest.fixture(scope="module")
def origin(installation: Installation) -> str:
    """Where the UI is."""
    return f"http://localhost:{installation.port}"


def log_in(
    origin: str, password: str, headers: dict[str, str]
) -> tuple[requests.Response, requests.Response]:
    """Somebody's new browser at the login form: the form, and the answer to what they enter."""
    form = get(f"{origin}/auth/login/", headers=headers)
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)[0]
    entered = {"csrf_token": token, "username": "admin", "password": password}
    # no client sends a cookie for TLS alone by itself
    cookie = {"Cookie": form.headers["Set-Cookie"].split(";")[0]}
    there = {"headers": {**headers, **cookie}, "allow_redirects": False}
    return form, requests.post(form.url, entered, timeout=REQUEST_SECONDS, **there)


def test_up_ends_when_all_is_healthy(installation: Installation) -> None:
    """Airflow says so of its parts, and has read the DAGs."""
    rest = installation.rest()
    health = rest("GET", "monitor/health")

    assert installation.does("docker compose ps --services").split() == sorted(SERVICES)
    assert {name: part["status"] for name, part in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "dag_processor", "triggerer"), "healthy"
    )
    assert rest("GET", "importErrors")["import_errors"] == []


def test_a_person_logs_in_by_the_form(installation: Installation, origin: str) -> None:
    """With the password of `.env`, and with no other."""
    passwords = installation.secret("AIRFLOW_ADMIN_PASSWORD"), "admin"
    answers = [log_in(origin, it, {})[1] for it in passwords]

    entered = [get(f"{origin}/api/v2/dags", cookies=it.cookies) for it in answers]
    assert [it.status_code == 200 for it in entered] == [True, False]


def test_behind_tls_no_cookie_is_for_the_open(installation: Installation, origin: str) -> None:
    """Once `.env` says so and names the web server before it, which says that it was asked so."""
    outside = f"{installation.folder.name}_outside"
    proxy = installation.does(f"docker network inspect --format '{GATEWAY}' $NAME", NAME=outside)
    settings = {"AIRFLOW_COOKIE_SECURE": "True", "AIRFLOW_PROXIES": proxy.strip()}
    installation.does("docker compose up --detach --wait api-server", **settings)
    secure = origin.replace("http:", "https:")
    by_proxy = {"X-Forwarded-Proto": "https", "Referer": f"{secure}/auth/login/"}

    form, landed = log_in(origin, installation.secret("AIRFLOW_ADMIN_PASSWORD"), by_proxy)
    installation.does("docker compose up --detach --wait api-server")

    assert landed.status_code == 302
    cookies = [it for answer in (form, landed) for it in answer.raw.headers.getlist("Set-Cookie")]
    assert {cookie.split("=")[0] for cookie in cookies} == {"session", "_token"}
    assert [cookie for cookie in cookies if "secure" not in cookie.lower()] == []


def test_a_run_triggered_by_rest_fills_the_warehouse(
    installation: Installation, run_id: str
) -> None:
    """It is reported, and `weixin-etl status` of the image finds nothing wrong."""
    assert run_id in installation.asks("SELECT run_id FROM weixin.run_report")
    assert installation.asks("SELECT count(*) > 0 FROM weixin.fact_article_total") == ["t"]
    assert installation.does("docker compose exec -T scheduler weixin-etl status")


def test_the_page_reads_as_a_user_who_can_only_read(
    installation: Installation, origin: str
) -> None:
    """Behind Airflow's login."""
    page = f"{origin}/weixin/coverage?dataset=article_total"
    shown = get(page, headers=installation.rest().headers)
    users = installation.asks("SELECT usename FROM pg_stat_activity WHERE datname = 'weixin'")

    assert DEFAULT_ACCOUNT.appid in shown.text
    assert "weixin_page" in users  # who stays connected for the next request
    assert "/login" in get(page).url


@pytest.mark.parametrize("appid", ["wx1", ""])
def test_the_account_of_env_is_the_connection_weixin_default(
    installation: Installation, appid: str
) -> None:
    """As for `make run`: called by its AppID, and asked at WeChat; without one it is Airflow's."""
    from airflow.sdk import Connection  # takes seconds

    config = installation.does(
        "docker compose -f docker-compose.yml config --format json",
        WEIXIN_APPID=appid,
        WEIXIN_SECRET="s3cret",
    )
    environment = json.loads(config)["services"]["scheduler"]["environment"]
    text = environment["AIRFLOW_CONN_WEIXIN_DEFAULT"]

    assert bool(text) == bool(appid)
    if text:
        made = Connection.from_uri(text, conn_id="weixin_default")
        assert (made.conn_type, made.login, made.password) == ("weixin", "wx1", "s3cret")
        assert (made.host, made.schema, made.extra_dejson) == ("", "", {"name": "wx1"})


def test_no_secret_is_in_what_the_containers_print(installation: Installation, run_id: str) -> None:
    """Neither one of `.env` nor the account's."""
    ours = " ".join(SERVICES - {"sandbox"})  # which greets with its account
    printed = installation.does(f"docker compose logs init {ours}")
    names = re.findall(r"^([A-Z_]+)=.+$", (installation.folder / ".env").read_text(), re.M)
    secrets = [*map(installation.secret, names), DEFAULT_ACCOUNT.secret]

    assert run_id in printed
    assert len(secrets) == 11
    assert [secret for secret in secrets if secret in printed] == []


def test_a_second_up_keeps_what_was_changed(installation: Installation) -> None:
    """The password is the operator's, not ours."""
    installation.does("docker compose up --detach --wait", AIRFLOW_ADMIN_PASSWORD="another")

    assert installation.rest()


def test_logins_are_limited_whatever_address_a_client_claims(origin: str) -> None:
    """Of the published port: five in forty seconds, however often it claims to be another."""
    claims = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in range(40))
    answers = (log_in(origin, f"guess {claim}", claim)[1] for claim in claims)

    assert 429 in (it.status_code for it in answers)
