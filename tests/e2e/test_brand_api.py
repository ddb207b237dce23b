"""HTTP API → the functions of the brand API: conditions, patches, deletions, pages, problems."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support.waiting import eventually

MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def call(api: str) -> Callable[..., requests.Response]:
    """``call("PATCH", "/brand/acme", {…}, if_match='"1-…"')``: the answer, judged as such."""

    def send(
        method: str, path: str, body: Any = None, content_type: str = MERGE_PATCH, **headers: str
    ) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            sent["Content-Type"] = content_type
            data = body if isinstance(body, str) else json.dumps(body)
        answer = requests.request(method, f"{api}{path}", data=data, headers=sent, timeout=30)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json", answer.text
            problem = answer.json()
            assert {"type", "title", "status", "detail"} <= problem.keys()
            assert problem["status"] == answer.status_code
        return answer

    return send


@pytest.fixture
def settled(call, put_brand, brand_id, brand_body) -> requests.Response:
    """A new brand that has its palette: nothing else changes its entity tag."""
    assert put_brand(brand_id, brand_body).status_code == 201

    def read() -> requests.Response | None:
        answer = call("GET", f"/brand/{brand_id}")
        return answer if "palette" in answer.json() else None

    found = eventually(read)
    assert found is not None
    return found


# --- Entity tags


def test_a_reader_who_has_the_brand_gets_304(call, settled, brand_id):
    tag = settled.headers["ETag"]
    assert tag.startswith('"1-')

    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = call("GET", f"/brand/{brand_id}", if_none_match=condition)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert answer.headers["Cache-Control"] == "max-age=300"
    assert call("GET", f"/brand/{brand_id}", if_none_match='"other"').status_code == 200


def test_the_palette_changes_the_entity_tag(call, settled, put_brand, brand_id, brand_body):
    changed = put_brand(brand_id, brand_body | {"colors": {"primary": "#ff0000"}})

    def other() -> bool:
        tag = call("GET", f"/brand/{brand_id}").headers["ETag"]
        return tag not in {settled.headers["ETag"], changed.headers["ETag"]}

    assert eventually(other)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_with_the_tag_of_before_is_412_and_changes_nothing(
    method, call, settled, brand_id, brand_body
):
    stale = settled.headers["ETag"]
    changed = call("PATCH", f"/brand/{brand_id}", {"website": "https://acme.example"})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != stale

    body = None if method == "DELETE" else brand_body | {"name": "Lost"}
    for condition in (stale, f"W/{changed.headers['ETag']}", '"1"'):
        answer = call(method, f"/brand/{brand_id}", body, if_match=condition)
        assert answer.status_code == 412
    assert call("GET", f"/brand/{brand_id}").json() == changed.json()

    through = call(method, f"/brand/{brand_id}", body, if_match=changed.headers["ETag"])
    assert through.status_code == (204 if method == "DELETE" else 200)


def test_a_put_that_is_to_create_creates_once(call, brand_id, brand_body):
    path = f"/brand/{brand_id}"
    assert call("PUT", path, brand_body, if_match="*").status_code == 412
    assert call("GET", path).status_code == 404
    assert call("PUT", path, brand_body, if_none_match="*").status_code == 201
    assert call("PUT", path, brand_body, if_none_match="*").status_code == 412


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_malformed_condition_is_400(method, call, settled, brand_id, brand_body):
    body = brand_body if method in {"PUT", "PATCH"} else None
    answer = call(method, f"/brand/{brand_id}", body, if_match="unquoted")

    assert answer.status_code == 400
    assert "If-Match" in answer.json()["detail"]


def test_of_patches_at_once_with_one_tag_exactly_one_is_done(call, settled, brand_id, journal):
    tag = settled.headers["ETag"]

    def patch(number: int) -> requests.Response:
        return call("PATCH", f"/brand/{brand_id}", {"name": f"Writer {number}"}, if_match=tag)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(patch, range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    assert call("GET", f"/brand/{brand_id}").json()["name"] == winner.json()["name"]


def test_patches_at_once_without_a_tag_are_all_kept(call, settled, brand_id, bus_events):
    seen = bus_events(brand_id)
    patches = [{"name": "Acme Ltd"}, {"website": "https://acme.example"}]

    with ThreadPoolExecutor(2) as threads:
        answers = list(
            threads.map(lambda patch: call("PATCH", f"/brand/{brand_id}", patch), patches)
        )

    assert [answer.status_code for answer in answers] == [200, 200]
    brand = call("GET", f"/brand/{brand_id}").json()
    assert (brand["name"], brand["website"]) == ("Acme Ltd", "https://acme.example")

    def both() -> bool:
        changed: dict[str, Any] = {}
        for event in seen():
            changed |= event["detail"]["changes"]
        return changed == patches[0] | patches[1]

    eventually(both)


# --- PATCH


@pytest.mark.parametrize("media_type", [MERGE_PATCH, "application/json", f"{MERGE_PATCH};a=b"])
def test_a_patch_changes_what_it_names_and_publishes_that(
    media_type, call, settled, brand_id, bus_events
):
    seen = bus_events(brand_id)
    patch = {"website": "https://acme.example", "colors": {"accent": "#FFCC00"}}

    answer = call("PATCH", f"/brand/{brand_id}", patch, content_type=media_type)

    colors = {"primary": "#0b5fff", "accent": "#ffcc00"}
    assert answer.status_code == 200, answer.text
    assert answer.json()["colors"] == colors
    assert answer.json()["name"] == settled.json()["name"]
    (event,) = eventually(seen)
    assert event["detail-type"] == "BrandUpdated"
    assert event["detail"]["changes"] == {"website": "https://acme.example", "colors": colors}

    removed = call("PATCH", f"/brand/{brand_id}", {"website": None, "colors": {"accent": None}})
    assert "website" not in removed.json()
    assert removed.json()["colors"] == {"primary": "#0b5fff"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{nope", MERGE_PATCH, 400),
        ('{"name": "Acme"}', "text/plain", 415),
        ('{"name": "Acme"}', "application/x-www-form-urlencoded", 415),
        ('{"name": null}', MERGE_PATCH, 422),
        ('{"palette": null}', MERGE_PATCH, 422),
        ("[]", MERGE_PATCH, 422),
    ],
)
def test_a_patch_that_is_none_is_refused(body, content_type, status, call, settled, brand_id):
    answer = call("PATCH", f"/brand/{brand_id}", body, content_type=content_type)

    assert answer.status_code == status
    if status == 415:
        assert MERGE_PATCH in answer.headers["Accept-Patch"]
    if status == 422:
        assert answer.json()["errors"], "it says what is wrong"
    assert call("GET", f"/brand/{brand_id}").headers["ETag"] == settled.headers["ETag"]


def test_a_brand_that_is_not_there_is_not_patched(call, brand_id):
    assert call("PATCH", f"/brand/{brand_id}", {"name": "Acme"}).status_code == 404
    assert call("GET", f"/brand/{brand_id}").status_code == 404


# --- DELETE


@pytest.fixture
def history(aws: Callable[[str], Any], brand_id: str) -> Callable[[], list[str]]:
    """What happened to the brand, as ``brand_audit`` has it, oldest first."""

    def whats() -> list[str]:
        items = aws("dynamodb").query(
            TableName="brand_audit",
            KeyConditionExpression="brandId = :b",
            ExpressionAttributeValues={":b": {"S": brand_id}},
            ConsistentRead=True,
        )["Items"]
        return [item["what"]["S"] for item in items]

    return whats


def test_a_deleted_brand_is_gone_everywhere(
    aws, call, put_brand, settled, brand_id, brand_body, bus_events, history
):
    path, seen = f"/brand/{brand_id}", bus_events(brand_id)

    def entry() -> dict[str, Any]:
        key = {"brandId": {"S": brand_id}}
        table = aws("dynamodb")
        found = table.get_item(TableName="brand_index", Key=key, ConsistentRead=True)
        return found.get("Item", {})

    assert eventually(lambda: "name" in entry())
    deleted = call("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")

    assert call("GET", path).status_code == 404
    assert call("PATCH", path, {"name": "Acme"}).status_code == 404
    assert call("DELETE", path).status_code == 404
    (event,) = eventually(seen)
    assert event["detail-type"] == "BrandDeleted"
    assert event["detail"]["notifyEmail"] == brand_body["contactEmail"]
    key = {"brandId": {"S": brand_id}}
    left = aws("dynamodb").get_item(TableName="brands", Key=key, ConsistentRead=True)["Item"]
    assert left.keys() == {"brandId", "version", "updatedAt", "deletedAt", "expiresAt"}
    ttl = aws("dynamodb").describe_time_to_live(TableName="brands")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}
    # The search forgets it, the history has it, the archive keeps it.
    assert eventually(lambda: entry() and "name" not in entry())
    assert eventually(lambda: "deleted" in history())

    def archived() -> bool:
        bucket = "brand-archive-bucket"
        found = aws("s3").list_objects_v2(Bucket=bucket, Prefix=f"{brand_id}/")
        bodies = [
            json.loads(aws("s3").get_object(Bucket=bucket, Key=one["Key"])["Body"].read())
            for one in found.get("Contents", [])
        ]
        return "BrandDeleted" in {body["detail-type"] for body in bodies}

    assert eventually(archived)

    again = put_brand(brand_id, brand_body)
    assert again.status_code == 201
    assert again.headers["ETag"] not in {settled.headers["ETag"]}
    assert eventually(lambda: "name" in entry())
    assert eventually(lambda: history().count("created") == 2)


def test_an_enterprise_brand_is_told_of_its_end(call, put_brand, mails, brand_body):
    brand_id = f"enterprise-{uuid.uuid4().hex[:10]}"
    put_brand(brand_id, brand_body)
    assert call("DELETE", f"/brand/{brand_id}").status_code == 204

    def told() -> bool:
        return any("BrandDeleted" in json.dumps(mail) for mail in mails(brand_body["contactEmail"]))

    assert eventually(told)


def test_a_colour_that_comes_after_the_end_is_no_failure(aws, call, settled, brand_id, logs_of):
    assert call("DELETE", f"/brand/{brand_id}").status_code == 204
    detail = {
        "brandId": brand_id,
        "changes": {"colors": {"primary": "#00ff00"}},
        "updatedAt": settled.json()["updatedAt"],
    }
    entry = {
        "EventBusName": "brand-platform-bus",
        "Source": "brand-platform",
        "DetailType": "BrandUpdated",
        "Detail": json.dumps(detail),
    }
    aws("events").put_events(Entries=[entry])

    def stale() -> bool:
        lines = logs_of("regenerate_palette", brand_id)
        return any("Stale event: no palette" in line for line in lines)

    assert eventually(stale)


def test_of_deletions_at_once_one_is_done_and_announced(call, settled, brand_id, bus_events):
    seen = bus_events(brand_id)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: call("DELETE", f"/brand/{brand_id}"), range(4)))

    codes = {answer.status_code for answer in answers}
    # One that comes between deletion and announcement announces it, too, and says so: 204.
    assert 204 in codes
    assert codes <= {204, 404}
    assert {event["detail-type"] for event in eventually(seen)} == {"BrandDeleted"}


# --- Pages


def test_the_pages_have_every_brand_once(call, put_brand, brand_body):
    prefix = f"page-{uuid.uuid4().hex[:8]}"
    mine = [f"{prefix}-{number}" for number in range(5)]
    for brand_id in mine:
        assert put_brand(brand_id, brand_body).status_code == 201
    assert call("DELETE", f"/brand/{mine.pop()}").status_code == 204

    found: list[str] = []
    path = "/brands?limit=3"
    while True:
        answer = call("GET", path)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["brands"]) <= 3
        found += [brand["brandId"] for brand in page["brands"]]
        if page["nextCursor"] is None:
            break
        path = f"/brands?limit=3&cursor={page['nextCursor']}"

    assert sorted(brand for brand in found if brand.startswith(prefix)) == mine
    assert len(found) == len(set(found))


def test_a_listed_brand_is_as_it_is_read(call, settled, brand_id):
    path = "/brands?limit=100"
    while True:
        page = call("GET", path).json()
        for brand in page["brands"]:
            if brand["brandId"] == brand_id:
                assert brand == settled.json()
                return
        assert page["nextCursor"], "the brand is on no page"
        path = f"/brands?limit=100&cursor={page['nextCursor']}"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "cursor=", "cursor=nonsense"]
)
def test_what_asks_for_no_page_is_400(query, call):
    answer = call("GET", f"/brands?{query}")

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(query.partition("=")[0])


# --- Description


def test_the_reference_page_is_one_file(call):
    answer = call("GET", "/docs")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "PATCH" in answer.text
    tag = answer.headers["ETag"]
    assert call("GET", "/docs", if_none_match=tag).status_code == 304
