"""What Airflow learns from the installed distribution: a connection type and settings."""

import os
import subprocess
import sys
from pathlib import Path

from airflow.providers_manager import ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from weixin_etl.orchestration.hook import WeixinHook
from weixin_etl.orchestration.settings import OPTIONS

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
        "extra__weixin__mode",
        "extra__weixin__token_url",
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
        f"{name} = {default}" for name, (_, default, _) in OPTIONS.items()
    ]
