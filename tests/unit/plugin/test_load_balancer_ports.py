"""Which port a listener gets, and which settings and actions are refused."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.services.apigatewayv2.settings import InvalidSettingError
from trigger_stack.services.elbv2.ports import Ports
from trigger_stack.services.elbv2.settings import Settings
from trigger_stack.services.elbv2.validation import (
    check_actions,
    check_conditions,
    check_priorities,
)
from trigger_stack.services.errors import ServiceError


@pytest.fixture
def ports() -> Ports:
    return Ports(range(8081, 8085))


def test_a_load_balancer_has_its_address_before_its_listener(ports: Ports) -> None:
    ports.promise("a")
    ports.promise("b")

    assert (ports.of_balancer("a"), ports.of_balancer("b")) == (8081, 8082)
    assert ports.candidates("b", 80) == [8082, 8083, 8084]
    ports.take("b1", "b", 8082)
    assert ports.of_balancer("b") == ports.of_listener("b1") == 8082


def test_a_listener_gets_its_own_port_when_it_is_one_of_ours(ports: Ports) -> None:
    ports.promise("a")

    assert ports.candidates("a", 8083) == [8083, 8081, 8082, 8084]
    ports.take("a1", "a", 8083)
    assert ports.of_balancer("a") == 8083
    assert ports.candidates("b", 8083) == [8081, 8082, 8084], "the promised one is free again"


def test_a_port_that_another_program_has_is_passed_over(ports: Ports) -> None:
    ports.promise("a")
    ports.take("a1", "a", 8082)

    assert ports.of_balancer("a") == 8082


def test_further_listeners_get_further_ports(ports: Ports) -> None:
    ports.promise("a")
    ports.take("a1", "a", 8081)

    assert ports.candidates("a", 443) == [8082, 8083, 8084]
    ports.take("a2", "a", 8082)
    assert ports.of_balancer("a") == 8081
    ports.keep({"a2"}, {"a"})
    assert ports.of_balancer("a") == 8082


def test_what_is_gone_gives_its_port_back(ports: Ports) -> None:
    for name in "abcd":
        ports.promise(name)
        ports.take(f"{name}1", name, ports.candidates(name, 80)[0])
    ports.promise("e")
    assert ports.of_balancer("e") is None
    assert ports.candidates("e", 8081) == []

    ports.keep({"a1", "b1", "d1"}, {"a", "b", "d", "e"})

    assert ports.candidates("e", 80) == [8083]


def test_the_settings_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOAD_BALANCER_PORTS", raising=False)
    monkeypatch.delenv("HTTP_API_LISTEN", raising=False)

    assert Settings.from_environment() == Settings("127.0.0.1", range(8081, 8100))


@pytest.mark.parametrize("text", ["8081", "8099-8081", "0-5", "1-65536", "a-b", "8081-8082-8083"])
def test_what_is_no_range_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LOAD_BALANCER_PORTS", text)

    with pytest.raises(InvalidSettingError, match=f"LOAD_BALANCER_PORTS={text} is no range"):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ([], "ValidationError"),
        ([{"Type": "forward"}, {"Type": "redirect"}], "ValidationError"),
        ([{"Type": "forward"}], "ValidationError"),
        ([{"Type": "forward", "ForwardConfig": {"TargetGroups": [{}]}}], "ValidationError"),
        ([{"Type": "fixed-response"}], "ValidationError"),
        ([{"Type": "authenticate-oidc"}, {"Type": "forward"}], "UnsupportedFeature"),
        ([{"Type": "jwt-validation"}, {"Type": "forward"}], "UnsupportedFeature"),
    ],
)
def test_actions_that_are_refused(actions: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        check_actions(actions)
    assert caught.value.code == code


def test_what_is_served_is_not_refused() -> None:
    check_actions([{"Type": "forward", "TargetGroupArn": "a"}])
    check_conditions([{"Field": "path-pattern", "Values": ["/a*"]}])
    check_priorities({"a": 1, "b": 2})


def test_a_condition_and_priorities_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServiceError, match="'source-ip' is not valid"):
        check_conditions([{"Field": "source-ip", "SourceIpConfig": {"Values": ["x"]}}])
    with pytest.raises(ServiceError, match="priority is in use"):
        check_priorities({"a": 1, "b": 1})
