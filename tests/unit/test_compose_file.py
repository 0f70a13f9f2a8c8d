"""The compose files and Dockerfile keep their promises; tests/e2e/compose tries them for real."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACCOUNT = {"WEIXIN_APPID", "WEIXIN_SECRET"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


class Override(list[Any]):
    """A list that replaces the one of the file before."""


class Loader(yaml.SafeLoader):
    """Knows docker compose's `!override`."""


Loader.add_constructor("!override", lambda loader, node: Override(loader.construct_sequence(node)))


def merged(below: Any, above: Any) -> Any:
    """What docker compose makes of two files, as far as these tests look at it."""
    if isinstance(below, dict) and isinstance(above, dict):
        in_both = below.keys() & above.keys() - {"command"}
        return {
            **below,
            **above,
            **{key: merged(below[key], above[key]) for key in in_both},
        }
    if isinstance(below, list) and isinstance(above, list) and not isinstance(above, Override):
        return below + above
    return above


TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.load(TEXT, Loader)  # noqa: S506 # a SafeLoader
CELERY_TEXT = (ROOT / "docker-compose.celery.yml").read_text()
CELERY: dict[str, Any] = yaml.load(CELERY_TEXT, Loader)  # noqa: S506 # a SafeLoader
assert CELERY["services"]["worker"].pop("extends") == {
    "file": "docker-compose.yml",
    "service": "scheduler",
}
ONE_MACHINE: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS: dict[str, dict[str, Any]] = merged(
    {**ONE_MACHINE, "worker": ONE_MACHINE["scheduler"]}, CELERY["services"]
)

EACH_SERVICE = pytest.mark.parametrize(
    "settings",
    [
        pytest.param(settings, id=f"{name}-{how}")
        for how, services in {"one-machine": ONE_MACHINE, "workers": WORKERS}.items()
        for name, settings in services.items()
    ],
)


def required(text: str) -> set[str]:
    """The variables without which docker compose refuses to start."""
    return set(re.findall(r"\$\{(\w+):\?`make secrets` puts one into \.env\}", text))


def holders(variable: str, services: dict[str, dict[str, Any]]) -> set[str]:
    """The services whose environment has the variable's value."""
    return {name for name, service in services.items() if f"${{{variable}" in str(service)}


def test_every_secret_is_required_and_made_by_make_secrets() -> None:
    """None has a default; what `.env.example` leaves empty is the account and the secrets."""
    empty = set(re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.M))

    assert len(required(TEXT)) == 9
    assert required(CELERY_TEXT) == {"REDIS_PASSWORD"}
    assert empty == required(TEXT) | required(CELERY_TEXT) | ACCOUNT


def test_no_password_is_written_down() -> None:
    """Whatever is called password, key or secret is a variable."""
    names = r"^ *\w*(?:PASSWORD|KEY|SECRET|CLI_AUTH)\w*: (.+)$"
    said = re.findall(names, TEXT + CELERY_TEXT, re.M)

    assert len(said) == 10
    assert [value for value in said if not re.fullmatch(r"\$\{\w+:\?.*\}", value)] == []


@pytest.mark.parametrize(
    ("secret", "who", "with_workers"),
    [
        ("POSTGRES_PASSWORD", {"postgres"}, set()),
        ("WEIXIN_OWNER_PASSWORD", {"postgres", "init"}, set()),
        ("WEIXIN_LOADER_PASSWORD", {"postgres", "scheduler"}, {"worker"}),
        ("WEIXIN_PAGE_PASSWORD", {"postgres", "api-server"}, set()),
        ("AIRFLOW_ADMIN_PASSWORD", {"init"}, set()),
        ("WEIXIN_SECRET", {"scheduler"}, {"worker"}),
        ("REDIS_PASSWORD", set(), {"redis", "scheduler", "worker"}),
    ],
)
def test_a_secret_is_given_to_those_who_use_it(
    secret: str, who: set[str], with_workers: set[str]
) -> None:
    """And to no other container."""
    assert holders(secret, ONE_MACHINE) == who
    assert holders(secret, WORKERS) == who | with_workers


@pytest.mark.parametrize(
    ("services", "ask_wechat"), [(ONE_MACHINE, "scheduler"), (WORKERS, "worker")]
)
def test_the_ui_alone_is_published_and_by_default_on_loopback(
    services: dict[str, dict[str, Any]], ask_wechat: str
) -> None:
    """Postgres and Redis are reached by the network that has no way out; no header is believed."""
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published == {"api-server": ["${AIRFLOW_ADDRESS:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"]}
    believed = services["api-server"]["environment"]["FORWARDED_ALLOW_IPS"]
    assert believed == "${AIRFLOW_PROXIES:-}"
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {
        "api-server",
        ask_wechat,
    }


@EACH_SERVICE
def test_every_service_has_limits(settings: dict[str, Any]) -> None:
    """Memory that `.env` can set, processes, and no core dump: it would contain secrets."""
    memory = re.fullmatch(r"\$\{(\w+_MEMORY):-\d+[gm]\}", settings["mem_limit"])

    assert memory
    assert f"\n# {memory[1]}=" in (ROOT / ".env.example").read_text()
    assert f"`{memory[1]}`" in (ROOT / "docs/operating/install.md").read_text()
    assert settings["pids_limit"] == 512
    assert settings["ulimits"] == {"core": 0}
    assert settings["read_only"]


@EACH_SERVICE
def test_no_service_is_root_or_can_become_more(settings: dict[str, Any]) -> None:
    """Its image has a user of its own, or it is given one."""
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["logging"] == COMPOSE["x-service"]["logging"]
    assert not settings.get("privileged")
    if settings["image"] == "${COMPOSE_PROJECT_NAME}":
        assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["weixin"]
    else:
        assert (settings["image"], settings["user"]) in [
            ("postgres:18", "postgres"),
            ("redis:8", "redis"),
        ]


def test_no_task_starts_before_the_api_server_answers() -> None:
    """One that did would fail without a log: it asks the API server for what it is to do."""
    healthy = {"condition": "service_healthy"}

    assert "healthcheck" in ONE_MACHINE["api-server"]
    assert ONE_MACHINE["scheduler"]["depends_on"]["api-server"] == healthy
    assert WORKERS["worker"]["depends_on"]["api-server"] == healthy


def test_redis_hands_no_task_out_twice_while_it_runs() -> None:
    """It would after `visibility_timeout`; no task of ours may take as long."""
    longest = timedelta(hours=2)  # of ingest: dags/weixin_article_statistics.py
    name = "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"

    for service in ("scheduler", "worker"):
        assert int(WORKERS[service]["environment"][name]) > longest.total_seconds()


def test_the_image_has_what_is_locked_and_nothing_else() -> None:
    """Every install and the build check hashes, but that of the wheel just built."""
    installs = re.findall(
        r"(?:pip install|uv build)(?:[^\n\\&]|\\\n)*", DOCKERFILE.replace("uv pip", "pip")
    )

    assert len(installs) == 4
    assert ["--require-hashes" in install for install in installs] == [True, True, True, False]
    assert "--no-deps dist/*.whl" in installs[3]
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {"python:3.13-slim"}
