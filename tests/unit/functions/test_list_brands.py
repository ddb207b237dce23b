"""Pages of the list of brands, and the cursors between them."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

import pytest
from function_fakes import FakeTable, client_error
from hypothesis import given
from hypothesis import strategies as st

from functions.list_brands import handler as list_brands
from functions.list_brands.page import (
    MAX_SCANS,
    BadPageError,
    decode_cursor,
    encode_cursor,
    page_request,
    read_page,
)


def brand(number, **more):
    return {
        "brandId": f"b{number:03}",
        "name": f"Brand {number}",
        "version": Decimal(1),
        "unpublished": {"name": "not for the outside"},
        **more,
    }


def table_of(*items):
    table = FakeTable("brandId")
    for item in items:
        table.put_item(Item=item)
    return table


@pytest.fixture
def send(event, context, monkeypatch):
    """``send(table, "limit=2")``: status and body of the answer."""

    def request(table, query=""):
        monkeypatch.setattr(list_brands, "brands", table)
        sent = event("http-api-list-brands")
        sent["rawQueryString"] = query
        response = list_brands.handler(sent, context)
        return response["statusCode"], json.loads(response["body"])

    return request


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7, 100])
@pytest.mark.parametrize("deleted", [(), (0,), (2, 3), (6,), (0, 1, 2, 3, 4, 5, 6)])
def test_the_pages_together_are_all_brands_once(limit, deleted, send):
    left = {"deletedAt": "2026-11-23T05:40:00Z"}
    table = table_of(*(brand(n, **(left if n in deleted else {})) for n in range(7)))
    found, cursor, pages = [], None, 0
    while cursor is not None or pages == 0:
        query = f"limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        status, page = send(table, query)
        assert status == 200
        assert page.keys() == {"brands", "nextCursor"}
        assert len(page["brands"]) <= limit
        found += page["brands"]
        cursor, pages = page["nextCursor"], pages + 1
    assert [one["brandId"] for one in found] == [f"b{n:03}" for n in range(7) if n not in deleted]
    assert pages == max(1, -(-len(found) // limit)), "no page is empty without need"
    assert all(one.keys() == {"brandId", "name", "version"} for one in found)


def test_without_a_limit_a_page_has_twenty(send):
    status, page = send(table_of(*(brand(n) for n in range(25))))

    assert (status, len(page["brands"])) == (200, 20)
    assert page["nextCursor"]


def test_an_empty_table_is_one_empty_page(send):
    assert send(table_of()) == (200, {"brands": [], "nextCursor": None})


def test_what_somebody_put_into_the_table_by_hand_is_no_brand(send):
    table = table_of({"brandId": "not a brand!"}, brand(1))

    assert [one["brandId"] for one in send(table)[1]["brands"]] == ["b001"]


def test_a_page_goes_on_after_a_brand_that_was_deleted_meanwhile(send):
    table = table_of(*(brand(n) for n in range(4)))
    cursor = send(table, "limit=2")[1]["nextCursor"]
    del table.items["b001",]

    page = send(table, f"limit=2&cursor={cursor}")[1]

    assert [one["brandId"] for one in page["brands"]] == ["b002", "b003"]


def test_many_deleted_brands_end_a_page_early_and_lose_nothing(send):
    left = {"deletedAt": "2026-11-23T05:40:00Z"}
    table = table_of(*(brand(n, **left) for n in range(3 * MAX_SCANS)), brand(900))

    _, first = send(table, "limit=1")

    assert first["brands"] == []
    assert len(table.scans) == MAX_SCANS
    _, second = send(table, f"limit=1&cursor={first['nextCursor']}")
    assert [one["brandId"] for one in second["brands"]] == ["b900"]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=", "limit=%20", "limit=1e1"),
        *("limit=1_0", "limit=%D9%A3", "limit=2&limit=2", "limit=2,3", "limit=" + "9" * 5000),
        *("cursor=", "cursor=x", "cursor=%FF", "cursor=b001", "cursor=e30", "cursor=W10"),
        "cursor=" + "A" * 100_000,
        "cursor=" + base64.urlsafe_b64encode(b'{"after": "b001"}').decode(),  # not our spelling
        "cursor=" + base64.urlsafe_b64encode(b'{"after":""}').decode().rstrip("="),
        "cursor=" + base64.urlsafe_b64encode(b'{"after":7}').decode().rstrip("="),
        "cursor=" + base64.urlsafe_b64encode(b'{"after":"\\ud800"}').decode().rstrip("="),
        "cursor=" + encode_cursor("x" * 2049),
        f"cursor={encode_cursor('b001')}&cursor={encode_cursor('b001')}",
    ],
)
def test_what_asks_for_no_page_is_400(query, send):
    table = table_of(brand(1))

    status, body = send(table, query)

    assert (status, body["status"], body["type"]) == (400, 400, "about:blank")
    assert body["detail"].startswith(query.partition("=")[0])
    assert not table.scans


def test_other_parameters_are_ignored(send):
    assert send(table_of(brand(1)), "limit=2&sort=name&x")[0] == 200


@given(st.text(min_size=1, max_size=63))
def test_a_cursor_is_read_as_it_was_written(brand_id):
    cursor = encode_cursor(brand_id)

    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(cursor) == brand_id


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_other_text_is_no_cursor(text):
    with pytest.raises(BadPageError):
        page_request({"cursor": [text]})


@pytest.mark.parametrize("limit", ["1", "100", "020"])
def test_the_ends_of_the_limit_are_in_it(limit):
    assert page_request({"limit": [limit]}).limit == int(limit)


def test_a_page_of_one_read_is_one_read():
    table = table_of(*(brand(n) for n in range(30)))

    read_page(table, page_request({}))

    assert table.scans == [21]


def test_a_method_that_lists_nothing_is_405(event, context):
    request = event("function-url-get-brand")
    request["requestContext"]["http"]["method"] = "POST"

    response = list_brands.handler(request, context)

    assert (response["statusCode"], response["headers"]["Allow"]) == (405, "GET, HEAD")


def test_a_table_that_fails_fails_the_function(send):
    table = table_of(brand(1))
    table.fail_with = client_error("ProvisionedThroughputExceededException", "Scan")

    with pytest.raises(type(table.fail_with)):
        send(table)
