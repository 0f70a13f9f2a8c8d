"""Tests of an installation with docker compose: health, login, TLS, runs, secrets and limits."""

import json
import re
from functools import partial

import pytest
import requests
from installation import DAG, Installation
from support.rest import REQUEST_SECONDS

from weixin_sandbox import DEFAULT_ACCOUNT

GATEWAY = "{{ (index .IPAM.Config 0).Gateway }}"
"""The template of the address from which a proxy on this machine reaches a published port."""
SERVICES = {"api-server", "dag-processor", "postgres", "sandbox", "scheduler", "triggerer"}
get = partial(requests.get, timeout=REQUEST_SECONDS)


@pytest.fixture(scope="module")
def run_id(installation: Installation) -> str:
    """Trigger a run that must succeed, and return its id."""
    run = installation.rest().run(DAG)
    assert run["state"] == "success"
    return str(run["dag_run_id"])


@pytest.fixture(scope="module")
def origin(installation: Installation) -> str:
    """Return the address of the UI."""
    return f"http://localhost:{installation.port}"


def log_in(
    origin: str, password: str, headers: dict[str, str]
) -> tuple[requests.Response, requests.Response]:
    """Log in with the form as a new browser, and return the form and the answer to the login."""
    form = get(f"{origin}/auth/login/", headers=headers)
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)[0]
    entered = {"csrf_token": token, "username": "admin", "password": password}
    # The cookie is set by hand: over plain HTTP no client sends a secure cookie.
    cookie = {"Cookie": form.headers["Set-Cookie"].split(";")[0]}
    options = {"headers": {**headers, **cookie}, "allow_redirects": False}
    return form, requests.post(form.url, entered, timeout=REQUEST_SECONDS, **options)


def test_all_services_are_healthy_and_the_dags_are_parsed(installation: Installation) -> None:
    rest = installation.rest()
    health = rest("GET", "monitor/health")

    assert installation.does("docker compose ps --services").split() == sorted(SERVICES)
    assert {name: part["status"] for name, part in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "dag_processor", "triggerer"), "healthy"
    )
    assert rest("GET", "importErrors")["import_errors"] == []


def test_only_the_password_of_env_logs_in(installation: Installation, origin: str) -> None:
    passwords = installation.secret("AIRFLOW_ADMIN_PASSWORD"), "admin"
    answers = [log_in(origin, password, {})[1] for password in passwords]

    entered = [get(f"{origin}/api/v2/dags", cookies=answer.cookies) for answer in answers]
    assert [page.status_code == 200 for page in entered] == [True, False]


def test_behind_a_tls_proxy_all_cookies_are_secure(installation: Installation, origin: str) -> None:
    """Settings in `.env` turn secure cookies on and name the proxy that is trusted."""
    outside = f"{installation.folder.name}_outside"
    proxy = installation.does(f"docker network inspect --format '{GATEWAY}' $NAME", NAME=outside)
    settings = {"AIRFLOW_COOKIE_SECURE": "True", "AIRFLOW_PROXIES": proxy.strip()}
    installation.does("docker compose up --detach --wait api-server", **settings)
    secure = origin.replace("http:", "https:")
    by_proxy = {"X-Forwarded-Proto": "https", "Referer": f"{secure}/auth/login/"}

    form, landed = log_in(origin, installation.secret("AIRFLOW_ADMIN_PASSWORD"), by_proxy)
    installation.does("docker compose up --detach --wait api-server")

    assert landed.status_code == 302
    cookies = [
        cookie for answer in (form, landed) for cookie in answer.raw.headers.getlist("Set-Cookie")
    ]
    assert {cookie.split("=")[0] for cookie in cookies} == {"session", "_token"}
    assert [cookie for cookie in cookies if "secure" not in cookie.lower()] == []


def test_a_run_triggered_by_rest_fills_the_warehouse(
    installation: Installation, run_id: str
) -> None:
    """The run has a report, and `weixin-etl status` in the image finds no problem."""
    assert run_id in installation.asks("SELECT run_id FROM weixin.run_report")
    assert installation.asks("SELECT count(*) > 0 FROM weixin.fact_article_total") == ["t"]
    assert installation.does("docker compose exec -T scheduler weixin-etl status")


def test_the_page_uses_a_read_only_database_user(installation: Installation, origin: str) -> None:
    """Without a login the page leads to Airflow's login."""
    page = f"{origin}/weixin/coverage?dataset=article_total"
    shown = get(page, headers=installation.rest().headers)
    users = installation.asks("SELECT usename FROM pg_stat_activity WHERE datname = 'weixin'")

    assert DEFAULT_ACCOUNT.appid in shown.text
    assert "weixin_page" in users  # the session stays open for the next request
    assert "/login" in get(page).url


@pytest.mark.parametrize("appid", ["wx1", ""])
def test_the_account_of_env_is_the_connection_weixin_default(
    installation: Installation, appid: str
) -> None:
    """The connection is named after the AppID and calls WeChat. Without an AppID it is not set."""
    from airflow.sdk import Connection  # the import takes seconds

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


def test_the_containers_logs_contain_no_secret(installation: Installation, run_id: str) -> None:
    """The secrets are those of `.env` and the account's."""
    services = " ".join(SERVICES - {"sandbox"})  # the sandbox prints its account
    printed = installation.does(f"docker compose logs init {services}")
    names = re.findall(r"^([A-Z_]+)=.+$", (installation.folder / ".env").read_text(), re.M)
    secrets = [*map(installation.secret, names), DEFAULT_ACCOUNT.secret]

    assert run_id in printed
    assert len(secrets) == 11
    assert [secret for secret in secrets if secret in printed] == []


def test_a_second_up_keeps_the_admins_password(installation: Installation) -> None:
    installation.does("docker compose up --detach --wait", AIRFLOW_ADMIN_PASSWORD="another")

    assert installation.rest()


def test_logins_are_limited_whatever_address_a_client_claims(origin: str) -> None:
    """The published port allows five logins in forty seconds, whatever X-Forwarded-For says."""
    claims = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in range(40))
    answers = (log_in(origin, f"guess {claim}", claim)[1] for claim in claims)

    assert 429 in (answer.status_code for answer in answers)
