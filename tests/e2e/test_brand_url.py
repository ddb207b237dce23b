"""`url: true`: the address that `make up` prints answers."""

from __future__ import annotations

import requests

from bootstrap.commands.load import load_template
from bootstrap.commands.status import triggers
from bootstrap.definition.model import parse_service
from tests.e2e.conftest import ROOT


def test_the_printed_url_reads_a_brand(aws, settings, put_brand, brand_id, brand_body, journal):
    assert put_brand(brand_id, brand_body).status_code in (200, 201)
    service = parse_service(load_template(ROOT / "serverless.yml").document)
    commands = [command for _, kind, command in triggers(service, settings) if "URL" in kind]
    (url,) = [command.removeprefix("curl ") for command in commands]

    answer = requests.get(f"{url}brand/{brand_id}", timeout=30)

    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == brand_body["name"]
    assert journal.ends(answer.headers["x-amzn-requestid"])["kind"] == "HTTP request"


def test_a_brand_that_is_not_there_is_404(aws, brand_id):
    config = aws("lambda").get_function_url_config(FunctionName="get_brand")

    answer = requests.get(f"{config['FunctionUrl']}brand/{brand_id}", timeout=30)

    assert answer.status_code == 404, answer.text
