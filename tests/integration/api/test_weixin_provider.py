"""What Airflow learns from the installed distribution: a connection type and settings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from weixin_etl.api.http import CallLimits
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.hook import WeixinHook

AIRFLOW = Path(sys.executable).with_name("airflow")


def test_the_connection_type_belongs_to_the_hook():
    """Airflow finds it by the distribution's entry point, without any configuration."""
    info = ProvidersManagerTaskRuntime().hooks["weixin"]

    assert info.hook_class_name == "weixin_etl.orchestration.hook.WeixinHook"
    assert info.package_name == "weixin-etl"
    assert info.hook_name == WeixinHook.hook_name == "WeChat Official Account"
    assert info.connection_id_attribute_name == WeixinHook.conn_name_attr


def test_the_form_shows_only_what_matters():
    """AppID, AppSecret, Base URL and a name; the rest is hidden."""
    behaviour = ProvidersManager().field_behaviours["weixin"]
    fields = ProvidersManager().connection_form_widgets

    assert sorted(behaviour["hidden_fields"]) == ["extra", "port", "schema"]
    assert behaviour["relabeling"] == {
        "login": "AppID",
        "password": "AppSecret",
        "host": "Base URL",
    }
    assert [name for name in fields if "weixin" in name] == [
        "extra__weixin__name",
        "extra__weixin__allow_http",
    ]


def test_the_settings_and_their_defaults_are_listed_by_airflow():
    """`airflow config list` shows an operator every setting there is."""
    listed = subprocess.run(
        [AIRFLOW, "config", "list", "--section", "weixin", "--show-values"],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout

    # a value that no file and no environment sets is shown as a comment
    lines = listed.split("[weixin]")[1].split("\n")
    assert [line.removeprefix("# ") for line in lines if line] == [
        "concurrency = 4",
        "retries = 3",
        "retry_delay_seconds = 120",
        "connect_timeout_seconds = 5",
        "read_timeout_seconds = 30",
        "call_tries = 5",
        "call_total_seconds = 60",
        "backoff_seconds = 1",
        "minute_quota_wait_seconds = 60",
    ]


def test_the_settings_in_force_are_the_defaults():
    """Nothing set: four calls at once, the API client's limits as it has them."""
    assert settings.read() == settings.Settings(
        concurrency=4, retries=3, retry_delay_seconds=120, call_limits=CallLimits()
    )
    assert CallLimits() == CallLimits(
        connect_seconds=5,
        read_seconds=30,
        tries=5,
        total_seconds=60,
        backoff_seconds=1,
        minute_quota_wait_seconds=60,
        max_answer_bytes=16_777_216,
    )


def test_the_environment_sets_them_in_airflows_usual_form(monkeypatch: pytest.MonkeyPatch):
    """`AIRFLOW__WEIXIN__…`, whole numbers and fractions."""
    monkeypatch.setenv("AIRFLOW__WEIXIN__CONCURRENCY", "8")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRIES", "1")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "5")
    monkeypatch.setenv("AIRFLOW__WEIXIN__CONNECT_TIMEOUT_SECONDS", "1.5")
    monkeypatch.setenv("AIRFLOW__WEIXIN__READ_TIMEOUT_SECONDS", "2.5")
    monkeypatch.setenv("AIRFLOW__WEIXIN__CALL_TRIES", "2")
    monkeypatch.setenv("AIRFLOW__WEIXIN__CALL_TOTAL_SECONDS", "3.5")
    monkeypatch.setenv("AIRFLOW__WEIXIN__BACKOFF_SECONDS", "0.25")
    monkeypatch.setenv("AIRFLOW__WEIXIN__MINUTE_QUOTA_WAIT_SECONDS", "0.5")

    assert settings.read() == settings.Settings(
        concurrency=8,
        retries=1,
        retry_delay_seconds=5,
        call_limits=CallLimits(
            connect_seconds=1.5,
            read_seconds=2.5,
            tries=2,
            total_seconds=3.5,
            backoff_seconds=0.25,
            minute_quota_wait_seconds=0.5,
        ),
    )
