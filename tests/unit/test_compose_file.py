"""docker-compose.yml and Dockerfile keep their promises; tests/e2e/compose tries them for real."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ACCOUNT = {"WEIXIN_APPID", "WEIXIN_SECRET"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()

EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)


def required() -> set[str]:
    """The variables without which docker compose refuses to start."""
    return set(re.findall(r"\$\{(\w+):\?`make secrets` puts one into \.env\}", TEXT))


def holders(variable: str) -> set[str]:
    """The services whose environment has the variable's value."""
    return {name for name, service in SERVICES.items() if f"${{{variable}" in str(service)}


def test_every_secret_is_required_and_made_by_make_secrets() -> None:
    """None has a default; what `.env.example` leaves empty is the account and the secrets."""
    empty = set(re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.M))

    assert len(required()) == 9
    assert empty == required() | ACCOUNT


def test_no_password_is_written_down() -> None:
    """Whatever is called password, key or secret is a variable."""
    said = re.findall(r"^ *\w*(?:PASSWORD|KEY|SECRET)\w*: (.+)$", TEXT, re.M)

    assert len(said) == 9
    assert [value for value in said if not re.fullmatch(r"\$\{\w+:\?.*\}", value)] == []


@pytest.mark.parametrize(
    ("secret", "who"),
    [
        ("POSTGRES_PASSWORD", {"postgres"}),
        ("WEIXIN_OWNER_PASSWORD", {"postgres", "init"}),
        ("WEIXIN_LOADER_PASSWORD", {"postgres", "scheduler"}),
        ("WEIXIN_PAGE_PASSWORD", {"postgres", "api-server"}),
        ("AIRFLOW_ADMIN_PASSWORD", {"init"}),
        ("WEIXIN_SECRET", {"scheduler"}),
    ],
)
def test_a_secret_is_given_to_those_who_use_it(secret: str, who: set[str]) -> None:
    """And to no other container."""
    assert holders(secret) == who


def test_the_ui_alone_is_published_and_by_default_on_loopback() -> None:
    """Postgres is reached by the network that has no way out."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"api-server": ["${AIRFLOW_ADDRESS:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "outside" in service["networks"]} == {
        "api-server",
        "scheduler",
    }


def test_not_everybody_may_say_from_where_they_come() -> None:
    """Who may, has as many tries at a password as they invent addresses."""
    believed = SERVICES["api-server"]["environment"]["FORWARDED_ALLOW_IPS"]
    by_default = re.fullmatch(r"\$\{AIRFLOW_PROXIES:-(.+)\}", believed)

    assert by_default
    assert all(ip_network(addresses).is_private for addresses in by_default[1].split(","))


@EACH_SERVICE
def test_no_service_is_root_or_can_become_more(service: str) -> None:
    """Its image has a user of its own, or it is given one."""
    settings = SERVICES[service]

    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert not settings.get("privileged")
    if service == "postgres":
        assert settings["user"] == "postgres"
    else:
        assert settings["image"] == "${COMPOSE_PROJECT_NAME}"
        assert settings["read_only"] is True
        assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["weixin"]


def test_the_image_has_what_is_locked_and_nothing_else() -> None:
    """Every install and the build check hashes, but that of the wheel just built."""
    installs = re.findall(
        r"(?:pip install|uv build)(?:[^\n\\&]|\\\n)*", DOCKERFILE.replace("uv pip", "pip")
    )

    assert len(installs) == 4
    assert ["--require-hashes" in install for install in installs] == [True, True, True, False]
    assert "--no-deps dist/*.whl" in installs[3]
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {"python:3.13-slim"}
    assert SERVICES["postgres"]["image"] == "postgres:18"
