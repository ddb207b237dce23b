"""Requests that a web page may have made."""

from __future__ import annotations

import pytest

from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal

DEFAULT = GuardSettings()


def asked(settings: GuardSettings = DEFAULT, **headers: str) -> str | None:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(given.get, settings)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:4566"},
        {"host": "127.0.0.1:4566"},
        {"host": "[::1]:4566"},
        {"host": "bucket.s3.localhost:4566"},
        {"host": "abc.execute-api.localhost.localstack.cloud:4566"},
        {"host": "bucket.s3.us-east-1.amazonaws.com"},
        {"host": "abc.lambda-url.us-east-1.127.0.0.1:4566"},
        {"host": "localstack:4566"},
        {"host": "host.docker.internal:4566"},
        {},
        {"host": "localhost", "origin": "http://localhost:3000", "sec_fetch_site": "same-site"},
        {"host": "localhost", "origin": "http://127.0.0.1:3000", "sec_fetch_site": "cross-site"},
        {"host": "localhost", "sec_fetch_site": "none"},
        {"host": "localhost", "sec_fetch_site": "same-origin"},
    ],
)
def test_what_is_answered(headers: dict[str, str]) -> None:
    assert asked(**headers) is None


@pytest.mark.parametrize(
    ("headers", "setting"),
    [
        ({"host": "evil.example"}, "ALLOWED_HOSTS"),
        ({"host": "localhost.evil.example:4566"}, "ALLOWED_HOSTS"),
        ({"host": "evil-localhost.com"}, "ALLOWED_HOSTS"),
        ({"host": "localhost", "origin": "https://evil.example"}, "ALLOWED_ORIGINS"),
        ({"host": "localhost", "origin": "null"}, "ALLOWED_ORIGINS"),
        ({"host": "localhost", "origin": "http://localhost.evil.example"}, "ALLOWED_ORIGINS"),
        ({"host": "localhost", "origin": "http://[::1"}, "ALLOWED_ORIGINS"),
        ({"host": "localhost", "sec_fetch_site": "cross-site"}, "ALLOWED_ORIGINS"),
    ],
)
def test_what_is_refused_names_the_setting(headers: dict[str, str], setting: str) -> None:
    assert setting in (asked(**headers) or "")


def test_settings_allow_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "stack.example, other.example")
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://app.example/")
    settings = GuardSettings.from_environment()

    assert asked(settings, host="stack.example:80", origin="https://app.example") is None
    assert asked(settings, host="evil.example") is not None
    assert asked(settings, host="stack.example", origin="https://evil.example") is not None


def test_an_api_allows_its_own_origins() -> None:
    headers = {"host": "localhost", "origin": "https://app.example", "sec-fetch-site": "cross-site"}

    assert refusal(headers.get, DEFAULT, lambda origin: origin == "https://app.example") is None
    assert refusal(headers.get, DEFAULT, lambda origin: False) is not None
