"""The same functions behind every front door, at the addresses that `make up` prints."""

from __future__ import annotations

import subprocess

import pytest
import requests

from bootstrap.commands.load import load_template
from bootstrap.commands.status import triggers
from bootstrap.definition.events import EVENT_TYPES
from bootstrap.definition.model import parse_service
from bootstrap.settings import Settings
from tests.e2e.conftest import ROOT
from tests.support.waiting import eventually

DOORS = ("HTTP API", "REST API", "load balancer", "Function URL")


@pytest.fixture(scope="module")
def balancer(aws) -> str:
    """The address of the load balancer."""
    found = aws("elbv2").describe_load_balancers(Names=["brand-platform"])["LoadBalancers"]
    return f"http://{found[0]['DNSName']}"


def bases(settings: Settings, balancer: str) -> dict[str, str]:
    base = settings.http_api_url
    return {
        "HTTP API": base,
        "REST API": f"{base}/_rest-api/local-brand-platform/local",
        "load balancer": balancer,
        "Function URL": f"{base}/_function-url/get_brand",
    }


@pytest.mark.parametrize("door", DOORS)
def test_a_brand_is_read_through_every_door(
    settings, balancer, put_brand, brand_id, brand_body, journal, door
):
    assert put_brand(brand_id, brand_body).status_code == 201
    base = bases(settings, balancer)[door]

    answer = requests.get(f"{base}/brand/{brand_id}", timeout=30)

    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == brand_body["name"]

    def unchanged() -> bool:
        """The tag changes once more, when the palette has been computed."""
        tag = requests.get(f"{base}/brand/{brand_id}", timeout=30).headers["etag"]
        again = requests.get(f"{base}/brand/{brand_id}", headers={"If-None-Match": tag}, timeout=30)
        return (again.status_code, again.content) == (304, b"")

    eventually(unchanged)
    missing = requests.get(f"{base}/brand/{brand_id}-none", timeout=30)
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("door", ["HTTP API", "REST API", "load balancer"])
def test_a_brand_is_written_through_every_door(settings, balancer, brand_id, brand_body, door):
    url = f"{bases(settings, balancer)[door]}/brand/{brand_id}"

    written = requests.put(url, json=brand_body, timeout=30)
    refused = requests.put(url, json={"name": ""}, timeout=30)

    assert written.status_code == 201, written.text
    assert refused.status_code == 422, refused.text
    assert requests.get(url, timeout=30).json()["name"] == brand_body["name"]


def test_the_listener_answers_by_itself_where_no_rule_holds(balancer, brand_id):
    elsewhere = requests.get(f"{balancer}/elsewhere", timeout=30)
    method = requests.delete(f"{balancer}/brand/{brand_id}", timeout=30)

    assert elsewhere.status_code == method.status_code == 404
    assert elsewhere.json()["title"] == "Not Found"
    assert elsewhere.headers["server"] == "awselb/2.0"


def test_a_body_over_one_megabyte_is_413(balancer, brand_id):
    answer = requests.put(f"{balancer}/brand/{brand_id}", data=b"x" * (1024 * 1024 + 1), timeout=30)

    assert answer.status_code == 413


def test_up_prints_the_addresses_and_commands_that_work(settings, balancer):
    printed = {e.url for one in EVENT_TYPES.values() for e in one.endpoints(settings)}
    assert settings.http_api_url in printed
    assert f"{balancer}  (brand-platform)" in printed

    service = parse_service(load_template(ROOT / "serverless.yml").document)
    commands = [command for _, kind, command in triggers(service, settings) if "load bal" in kind]
    assert len(commands) == 2
    for command, method in zip(commands, ("GET", "PUT"), strict=True):
        # The container that this may run in has no curl: its arguments are read instead.
        asked = subprocess.run(
            ["sh", "-c", command.replace("curl ", "printf '%s\\n' ", 1)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        arguments = asked.stdout.splitlines()
        assert arguments[-1] == f"{balancer}/brand/acme", asked
        assert (method in arguments) == (method == "PUT")
    body = commands[1].split("-d '")[1].split("'")[0]
    assert requests.put(f"{balancer}/brand/acme", data=body, timeout=30).status_code in (200, 201)
    assert requests.get(f"{balancer}/brand/acme", timeout=30).status_code == 200
