"""CloudFront in front of the brand platform: assets, the API, and a function at the edge."""

from __future__ import annotations

import textwrap
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.waiting import eventually

BUCKET = "brand-assets-bucket"
SAMPLE = Path(__file__).parents[2] / "samples" / "coffee-logo.png"
ASSETS, LINKS = "Brand assets", "brand-platform local"


def get(url: str, **options: Any) -> requests.Response:
    return requests.get(url, timeout=30, allow_redirects=False, **options)


def cache(answer: requests.Response) -> str:
    """What ``X-Cache`` says."""
    return answer.headers["x-cache"].removesuffix(" from cloudfront")


@pytest.fixture
def address(settings: Any) -> Callable[[str], str]:
    """``address(comment)``: where a distribution is served."""

    def find(comment: str) -> str:
        listed = get(f"{settings.endpoint_url}/_trigger_stack/distributions").json()
        (found,) = [one["address"] for one in listed if one["comment"] == comment]
        return str(found)

    return find


def put(aws: Callable[[str], Any], key: str, body: bytes) -> None:
    aws("s3").put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="image/png")


def picture(mark: str) -> bytes:
    """A logo with a mark behind it, where no decoder looks."""
    return SAMPLE.read_bytes() + mark.encode()


def test_a_new_logo_reaches_who_has_seen_the_old_one(aws, address, brand_id, invalidated):
    key = f"logos/{brand_id}/logo.png"
    url = f"{address(ASSETS)}/{key}"

    put(aws, key, picture("old"))
    eventually(lambda: invalidated().count(f"/logos/{brand_id}/*") == 1)
    first, second = get(url), get(url)
    assert (cache(first), cache(second)) == ("Miss", "Hit")
    assert first.content == second.content == picture("old")

    put(aws, key, picture("new"))  # its event invalidates the address
    eventually(lambda: get(url).content == picture("new"))


def test_objects_that_are_not_there_are_nobodys_business(address, brand_id):
    answer = get(f"{address(ASSETS)}/logos/{brand_id}/none.png")
    assert (answer.status_code, cache(answer)) == (403, "Error")
    assert "AccessDenied" in answer.text


def test_the_api_says_how_long_a_brand_is_kept(address, put_brand, brand_id, brand_body):
    put_brand(brand_id, brand_body)
    url = f"{address(ASSETS)}/brand/{brand_id}"

    first = get(url)
    put_brand(brand_id, {**brand_body, "name": "Changed"})
    second = get(url)

    assert (cache(first), cache(second)) == ("Miss", "Hit")
    assert second.headers["cache-control"] == "max-age=300"
    assert "age" in second.headers
    assert second.json()["name"] == brand_body["name"], "a change shows when the time is over"


def test_a_brand_that_is_not_there(address, brand_id):
    answer = get(f"{address(ASSETS)}/brand/{brand_id}")
    assert (answer.status_code, cache(answer)) == (404, "Error")
    assert requests.delete(f"{address(ASSETS)}/brand/{brand_id}", timeout=30).status_code == 403


def test_a_short_address_leads_to_the_brand(address, put_brand, brand_id, brand_body, journal):
    put_brand(brand_id, brand_body)
    links = address(LINKS)

    led = get(f"{links}/b/{brand_id}?from=mail")
    assert (led.status_code, led.headers["location"]) == (301, f"/brand/{brand_id}?from=mail")

    def is_written_down() -> bool:
        found = journal.find(function="brand_edge_redirect", text=f"/b/{brand_id}")
        return any(one["state"] == "done" for one in found)

    eventually(is_written_down)
    assert cache(led) == "LambdaGeneratedResponse"
    followed = requests.get(f"{links}/b/{brand_id}", timeout=30)
    assert followed.json()["brandId"] == brand_id
    unknown = get(f"{links}/b/NO_BRAND")
    assert (unknown.status_code, unknown.json()["title"]) == (404, "Not Found")


def test_a_function_at_the_edge_that_fails(
    aws: Callable[[str], Any],
    settings: Any,
    function: Callable[..., str],
    cleanup: ExitStack,
) -> None:
    code = """
        def handler(event, context):
            request = event["Records"][0]["cf"]["request"]
            if request["uri"] == "/fails":
                raise ValueError("on purpose")
            request["headers"]["x-cache"] = [{"value": "mine"}]
            return request
        """
    name = function(textwrap.dedent(code), MemorySize=128, Timeout=5)
    version = aws("lambda").publish_version(FunctionName=name)["FunctionArn"]

    def is_active() -> bool:
        state = aws("lambda").get_function_configuration(FunctionName=version)["State"]
        return bool(state == "Active")

    eventually(is_active)
    association = {"LambdaFunctionARN": version, "EventType": "viewer-request"}
    cloudfront = aws("cloudfront")
    comment = f"test {uuid.uuid4().hex}"
    made = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": comment,
            "Comment": comment,
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "o",
                        "DomainName": f"{BUCKET}.s3.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "o",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                "LambdaFunctionAssociations": {"Quantity": 1, "Items": [association]},
            },
        }
    )

    def remove() -> None:
        identity = made["Distribution"]["Id"]
        known = cloudfront.get_distribution_config(Id=identity)
        disabled = {**known["DistributionConfig"], "Enabled": False}
        changed = cloudfront.update_distribution(
            Id=identity, IfMatch=known["ETag"], DistributionConfig=disabled
        )
        cloudfront.delete_distribution(Id=identity, IfMatch=changed["ETag"])

    cleanup.callback(remove)
    listed = get(f"{settings.endpoint_url}/_trigger_stack/distributions").json()
    (url,) = [one["address"] for one in listed if one["comment"] == comment]

    failed, invalid = get(f"{url}/fails"), get(f"{url}/invalid")

    assert (failed.status_code, cache(failed)) == (503, "LambdaExecutionError")
    assert (invalid.status_code, cache(invalid)) == (502, "LambdaValidationError")
