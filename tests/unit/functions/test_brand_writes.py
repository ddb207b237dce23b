"""PATCH, DELETE and conditional writes: answers, the stored item, and the events on the bus."""

from __future__ import annotations

import base64
import copy
import json
from decimal import Decimal

import pytest
from function_fakes import FakeBus, FakeTable, client_error
from hypothesis import given
from hypothesis import strategies as st

from functions.delete_brand import handler as delete_brand
from functions.get_brand import handler as get_brand
from functions.patch_brand import handler as patch_brand
from functions.patch_brand.merge import merge
from functions.put_brand import handler as put_brand

ACME = {
    "name": "Acme",
    "contactEmail": "brand@acme.example",
    "colors": {"primary": "#0b5fff", "accent": "#ffb000"},
    "website": "https://acme.example",
}
HANDLERS = {
    "GET": get_brand,
    "PUT": put_brand,
    "PATCH": patch_brand,
    "DELETE": delete_brand,
}
PROBLEM = {"type", "title", "status", "detail"}


class Answer:
    def __init__(self, response):
        self.status = response["statusCode"]
        self.headers = response["headers"]
        self.text = response["body"]
        if self.status >= 400:
            assert self.headers["Content-Type"] == "application/problem+json"
            assert self.body.keys() - {"errors"} == PROBLEM
            assert self.body["status"] == self.status

    @property
    def body(self):
        return json.loads(self.text)

    @property
    def etag(self):
        return self.headers["ETag"]


@pytest.fixture
def brands(monkeypatch):
    table = FakeTable("brandId")
    for module in HANDLERS.values():
        monkeypatch.setattr(module, "brands", table)
    monkeypatch.setattr(get_brand, "metrics", FakeTable("brandId", "recordId"))
    return table


@pytest.fixture
def bus(monkeypatch):
    fake = FakeBus()
    for module in (put_brand, patch_brand, delete_brand):
        monkeypatch.setattr(module, "events", fake)
    return fake


@pytest.fixture
def send(event, context, brands, bus):
    """``send("PATCH", {"name": "…"}, if_match='"1"')``: the answer of the method's function."""

    def request(method, body=None, brand_id="acme", content_type="application/json", **headers):
        sent = event("http-api-put-brand")
        sent["requestContext"]["http"]["method"] = method
        sent["pathParameters"]["brandId"] = brand_id
        sent["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent["headers"]["content-type"] = content_type
        sent["body"] = body if isinstance(body, str) else json.dumps(body)
        return Answer(HANDLERS[method].handler(sent, context))

    return request


def heard(bus):
    """Type and detail of each event on the bus."""
    return [(entry["DetailType"], json.loads(entry["Detail"])) for entry in bus.entries]


def kinds(bus):
    return [kind for kind, _ in heard(bus)]


# --- PATCH


def test_a_patch_changes_what_it_names_and_announces_that(send, bus):
    created = send("PUT", ACME)
    patched = send(
        "PATCH",
        {"name": "Acme Ltd", "colors": {"accent": None, "dark": "#000000"}},
        content_type="application/merge-patch+json; charset=utf-8",
    )

    assert patched.status == 200
    colors = {"primary": "#0b5fff", "dark": "#000000"}
    assert patched.body == created.body | {
        "name": "Acme Ltd",
        "colors": colors,
        "version": 2,
        "updatedAt": patched.body["updatedAt"],
    }
    assert patched.etag != created.etag
    assert heard(bus)[1][1]["changes"] == {"name": "Acme Ltd", "colors": colors}


def test_null_removes_the_website(send, brands, bus):
    send("PUT", ACME)

    assert "website" not in send("PATCH", {"website": None}).body
    assert "website" not in brands.items["acme",]
    assert heard(bus)[1][1]["changes"] == {"website": None}


@pytest.mark.parametrize("patch", [{}, {"name": "Acme"}, {"nothing": None}, {"colors": {}}])
def test_a_patch_that_changes_nothing_announces_nothing(patch, send, brands, bus):
    created = send("PUT", ACME)
    before = copy.deepcopy(brands.items)

    answer = send("PATCH", patch)

    assert (answer.status, answer.etag) == (200, created.etag)
    assert brands.items == before
    assert len(bus.entries) == 1


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"colors": None}, "colors"),
        ({"colors": {"primary": None}}, "colors"),
        ({"colors": {"accent": "blue"}}, "colors.accent"),
        ({"colors": "blue"}, "colors"),
        ({"surprise": 1}, "surprise"),
        ({"version": 9}, "version"),
        ({"palette": None}, "palette"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
    ],
)
def test_a_patch_whose_result_is_no_brand_is_422(patch, field, send, brands, bus):
    send("PUT", ACME)
    before = copy.deepcopy(brands.items)

    answer = send("PATCH", json.dumps(patch))

    assert answer.status == 422
    assert answer.body["type"] == "/docs#problem-invalid-brand"
    assert [reason["field"] for reason in answer.body["errors"]] == [field]
    assert brands.items == before
    assert len(bus.entries) == 1


def test_a_deep_patch_is_refused_and_fails_nothing(send):
    send("PUT", ACME)
    deep = '{"a":' * 5000 + "1" + "}" * 5000

    assert send("PATCH", deep).status in {400, 422}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "nonsense", "*/*"]
)
def test_another_media_type_is_415_and_says_which_are_taken(content_type, send, brands):
    send("PUT", ACME)
    answer = send("PATCH", {"name": "Acme Ltd"}, content_type=content_type)

    assert answer.status == 415
    assert answer.headers["Accept-Patch"] == "application/merge-patch+json, application/json"
    assert brands.items["acme",]["name"] == "Acme"


def test_a_patch_without_content_type_is_415(send, event, context):
    request = event("http-api-put-brand")
    request["requestContext"]["http"]["method"] = "PATCH"
    del request["headers"]["content-type"]

    assert patch_brand.handler(request, context)["statusCode"] == 415


def test_a_patch_in_base64_is_decoded(send, event, context):
    send("PUT", ACME)
    request = event("http-api-put-brand")
    request["requestContext"]["http"]["method"] = "PATCH"
    request["body"] = base64.b64encode(b'{"name": "Acme Ltd"}').decode()

    response = patch_brand.handler(request | {"isBase64Encoded": True}, context)

    assert json.loads(response["body"])["name"] == "Acme Ltd"


def test_a_patch_of_no_json_is_400_and_of_no_brand_404(send, brands):
    assert send("PATCH", "{").status == 400
    assert send("PATCH", {"name": "Acme"}).status == 404
    assert send("PATCH", {"name": "Acme"}, if_match='"1-0"').status == 404
    assert send("PATCH", {"name": "Acme"}, brand_id="ACME").status == 422
    assert not brands.items


def test_a_patch_that_lost_a_race_is_merged_into_what_the_winner_wrote(send, brands, bus):
    send("PUT", ACME)
    brands.before_write.append(lambda: send("PATCH", {"name": "Winner"}))

    answer = send("PATCH", {"website": "https://loser.example"})

    assert (answer.status, answer.body["version"]) == (200, 3)
    assert answer.body["name"] == "Winner"
    assert answer.body["website"] == "https://loser.example"


def test_of_two_patches_with_one_entity_tag_one_is_412(send, brands, bus):
    tag = send("PUT", ACME).etag
    winner = []
    brands.before_write.append(
        lambda: winner.append(send("PATCH", {"name": "Winner"}, if_match=tag))
    )

    loser = send("PATCH", {"name": "Loser"}, if_match=tag)

    assert [winner[0].status, loser.status] == [200, 412]
    assert brands.items["acme",]["name"] == "Winner"
    assert len(bus.entries) == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return value


@given(target=json_values, patch=json_values)
def test_merging_is_as_rfc_7396_says(target, patch):
    before = copy.deepcopy((target, patch))
    merged = merge(target, patch)

    assert (target, patch) == before
    assert merge(merged, patch) == merged
    assert merge("anything", patch) == without_nulls(patch)
    if isinstance(target, dict) and isinstance(patch, dict):
        for key, value in target.items():
            if key not in patch:
                assert merged[key] == value
        assert not any(key in merged for key, value in patch.items() if value is None)


# Appendix A of RFC 7396.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7396(target, patch, result):
    assert merge(target, patch) == result


# --- Conditions


def test_every_answer_with_a_brand_has_its_entity_tag(send):
    created = send("PUT", ACME)
    read = send("GET")

    assert created.etag == read.etag
    assert created.etag.startswith('"1-')
    assert send("PATCH", {"name": "Acme Ltd"}).etag == send("GET").etag != created.etag


def test_what_other_functions_write_changes_the_entity_tag(send, brands):
    tag = send("PUT", ACME).etag
    brands.items["acme",]["palette"] = {"primary": {"contrast": Decimal("5.25")}}

    assert send("GET").etag != tag


def test_a_brand_made_anew_has_another_entity_tag(send, brands):
    tag = send("PUT", ACME).etag
    brands.items.clear()

    assert send("PUT", ACME).etag != tag


@pytest.mark.parametrize(
    "condition",
    ["{tag}", "W/{tag}", '"other", {tag}', '"other",{tag} , W/"x"', ", {tag},", "*", " {tag} "],
)
def test_a_reader_who_has_the_brand_gets_304_without_a_body(condition, send):
    tag = send("PUT", ACME).etag
    answer = send("GET", if_none_match=condition.format(tag=tag))

    assert (answer.status, answer.text) == (304, "")
    assert answer.headers == {"Cache-Control": "max-age=300", "ETag": tag}


@pytest.mark.parametrize("condition", ['"other"', 'W/"other", "x"', ""])
def test_a_reader_who_has_another_one_gets_the_brand(condition, send):
    send("PUT", ACME)

    assert send("GET", if_none_match=condition).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("condition", ["{tag}", "*", '"other", {tag}', "{tag},"])
def test_a_condition_that_holds_lets_the_method_through(method, condition, send):
    tag = send("PUT", ACME).etag

    assert send(method, ACME, if_match=condition.format(tag=tag)).status in {200, 204}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("condition", ['"other"', "W/{tag}", '"1"', ""])
def test_a_condition_that_does_not_hold_is_412(method, condition, send, brands, bus):
    tag = send("PUT", ACME).etag
    before = copy.deepcopy(brands.items)

    answer = send(method, ACME | {"name": "Other"}, if_match=condition.format(tag=tag))

    assert answer.status == 412
    assert brands.items == before
    assert len(bus.entries) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("condition", ["unquoted", '"open', '*, "x"', 'w/"x"', '"a" "b"', '"a"\n'])
@pytest.mark.parametrize("name", ["if_match", "if_none_match"])
def test_a_malformed_condition_is_400(method, condition, name, send, brands):
    send("PUT", ACME)
    before = copy.deepcopy(brands.items)

    assert send(method, ACME, **{name: condition}).status == 400
    assert brands.items == before


def test_if_none_match_star_creates_only(send, brands):
    assert send("PUT", ACME, if_none_match="*").status == 201
    answer = send("PUT", ACME | {"name": "Other"}, if_none_match="*")

    assert answer.status == 412
    assert "If-None-Match" in answer.body["detail"]
    assert brands.items["acme",]["name"] == "Acme"


def test_of_two_who_create_only_one_does(send, brands):
    brands.before_write.append(lambda: send("PUT", ACME, if_none_match="*"))

    assert send("PUT", ACME | {"name": "Loser"}, if_none_match="*").status == 412
    assert brands.items["acme",]["name"] == "Acme"


@pytest.mark.parametrize("condition", ["*", '"1-0"'])
def test_if_match_on_a_brand_that_is_not_there_creates_none(condition, send, brands):
    assert send("PUT", ACME, if_match=condition).status == 412
    assert not brands.items


def test_a_refused_write_still_announces_what_an_earlier_one_could_not(send, brands, bus):
    tag = send("PUT", ACME).etag
    bus.refuse = True
    assert send("PATCH", {"name": "Acme Ltd"}, if_match=tag).status == 503
    bus.refuse = False

    assert send("PATCH", {"name": "Acme Ltd"}, if_match=tag).status == 412
    assert heard(bus)[1][1]["changes"] == {"name": "Acme Ltd"}
    assert "unpublished" not in brands.items["acme",]


# --- DELETE


def test_a_deleted_brand_is_gone_and_announced(send, brands, bus):
    send("PUT", ACME)
    answer = send("DELETE")

    assert (answer.status, answer.text, answer.headers) == (204, "", {})
    assert send("GET").status == 404
    kind, detail = heard(bus)[1]
    assert kind == "BrandDeleted"
    assert detail == {
        "brandId": "acme",
        "updatedAt": detail["updatedAt"],
        "correlationId": "UjX1fhPjIAMEJ8Q=",
        "notifyEmail": "brand@acme.example",
    }
    assert detail["updatedAt"] > heard(bus)[0][1]["updatedAt"]
    # What is left names nobody, and its time to live removes it.
    left = brands.items["acme",]
    assert left.keys() == {"brandId", "version", "updatedAt", "deletedAt", "expiresAt"}


@pytest.mark.parametrize("brand_id", ["acme", "ACME", "", "x" * 64])
def test_what_is_not_there_cannot_be_deleted(brand_id, send, brands, bus):
    assert send("DELETE", brand_id=brand_id).status == 404
    assert not brands.items
    assert not bus.entries


def test_a_brand_is_deleted_once(send, bus):
    send("PUT", ACME)

    assert [send("DELETE").status for _ in range(3)] == [204, 404, 404]
    assert kinds(bus) == ["BrandUpdated", "BrandDeleted"]


def test_what_a_deleted_brand_leaves_is_no_brand_to_patch(send, brands):
    send("PUT", ACME)
    send("DELETE")
    before = copy.deepcopy(brands.items)

    assert send("PATCH", {"name": "Acme"}).status == 404
    assert send("PUT", ACME, if_match="*").status == 412
    assert brands.items == before


def test_a_deleted_brand_can_be_made_anew(send, brands, bus):
    first = send("PUT", ACME)
    send("DELETE")
    again = send("PUT", ACME, if_none_match="*")

    assert again.status == 201
    assert again.body["version"] > first.body["version"]
    assert again.body["createdAt"] > first.body["createdAt"]
    assert again.etag != first.etag
    assert heard(bus)[2][1]["changes"] == ACME
    left_over = {"deletedAt", "expiresAt", "unpublished"} & brands.items["acme",].keys()
    assert not left_over, "the time to live must not remove the new brand"


@pytest.mark.parametrize("failure", ["refused entry", "failed call"])
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_a_deletion_that_was_not_announced_is_announced_by_the_next_write(
    failure, method, send, brands, bus, logged
):
    tag = send("PUT", ACME).etag
    lines = logged(delete_brand)
    if failure == "refused entry":
        bus.refuse = True
    else:
        bus.fail_with = client_error("InternalFailure", "PutEvents")

    answer = send("DELETE", if_match=tag)

    # GIVEN the brand is deleted and the bus has not heard of it
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.body["type"] == "/docs#problem-not-announced"
    assert "exception" in lines.at("ERROR")[0]
    assert send("GET").status == 404
    assert "unpublished" in brands.items["acme",]
    assert "expiresAt" not in brands.items["acme",], "nothing may remove it unannounced"
    assert kinds(bus) == ["BrandUpdated"]

    # WHEN it is written again, in vain first
    assert send(method, ACME).status == 503
    bus.refuse, bus.fail_with = False, None
    condition = {"if_match": tag} if method == "DELETE" else {}
    status = send(method, ACME, **condition).status

    # THEN the bus hears of the deletion, before anything that comes after it
    assert status == {"DELETE": 204, "PUT": 201, "PATCH": 404}[method]
    assert kinds(bus)[:2] == ["BrandUpdated", "BrandDeleted"]
    assert heard(bus)[1][1]["notifyEmail"] == "brand@acme.example"
    assert "unpublished" not in brands.items["acme",]
    assert ("expiresAt" in brands.items["acme",]) is (method != "PUT")


def test_an_update_that_was_not_announced_is_announced_before_the_deletion(send, bus):
    send("PUT", ACME)
    bus.refuse = True
    send("PATCH", {"name": "Acme Ltd"})
    assert send("DELETE").status == 503
    assert send("GET").status == 200, "the bus is asked before the brand is deleted"
    bus.refuse = False

    assert send("DELETE").status == 204
    assert kinds(bus) == ["BrandUpdated", "BrandUpdated", "BrandDeleted"]
    assert heard(bus)[1][1]["changes"] == {"name": "Acme Ltd"}


def test_a_deletion_that_lost_a_race_deletes_what_the_winner_wrote(send, brands, bus):
    send("PUT", ACME)
    brands.before_write.append(lambda: send("PATCH", {"name": "Winner"}))

    assert send("DELETE").status == 204
    assert kinds(bus) == ["BrandUpdated", "BrandUpdated", "BrandDeleted"]


def test_a_conditional_deletion_that_lost_a_race_deletes_nothing(send, brands):
    tag = send("PUT", ACME).etag
    brands.before_write.append(lambda: send("PATCH", {"name": "Winner"}))

    assert send("DELETE", if_match=tag).status == 412
    assert send("GET").body["name"] == "Winner"


def test_a_write_that_lost_against_a_deletion_makes_the_brand_anew(send, brands, bus):
    send("PUT", ACME)
    brands.before_write.append(lambda: send("DELETE"))

    assert send("PUT", ACME | {"name": "Late"}).status == 201
    assert kinds(bus) == ["BrandUpdated", "BrandDeleted", "BrandUpdated"]


def test_a_patch_that_lost_against_a_deletion_is_404(send, brands):
    send("PUT", ACME)
    brands.before_write.append(lambda: send("DELETE"))

    assert send("PATCH", {"name": "Late"}).status == 404


def test_a_race_of_a_deletion_lost_again_and_again_is_409(send, brands, bus):
    send("PUT", ACME)

    def bump():
        brands.items["acme",]["version"] += 1

    brands.before_write += [bump] * 5

    assert send("DELETE").status == 409
    assert send("GET").status == 200
    assert kinds(bus) == ["BrandUpdated"]


def test_what_is_left_of_a_brand_expires_only_when_it_is_not_a_brand_again(send, brands, bus):
    """The writer of a new brand comes between publication and the time to live."""
    send("PUT", ACME)
    brands.before_write += [lambda: None, lambda: send("PUT", ACME)]

    assert send("DELETE").status == 204
    assert send("GET").status == 200
    assert "expiresAt" not in brands.items["acme",]


def test_a_brand_that_somebody_put_into_the_table_by_hand_can_be_replaced(send, brands):
    brands.items["acme",] = {"brandId": "acme"}

    answer = send("PUT", ACME)

    assert (answer.status, answer.body["version"]) == (200, 1)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_front_door_without_routes_gets_405(method, event, context, brands, bus):
    request = event("function-url-get-brand")

    response = HANDLERS[method].handler(request, context)

    assert response["statusCode"] == 405
    assert response["headers"]["Allow"] == method
    assert not bus.entries


@pytest.mark.parametrize("door", ["rest-api-get-brand", "function-url-get-brand", "alb-get-brand"])
def test_every_front_door_writes(door, event, context, brands, bus):
    def request(method, body=None):
        sent = event(door) | {"body": body}
        if "httpMethod" in sent:
            sent["httpMethod"] = method
        else:
            sent["requestContext"]["http"]["method"] = method
        headers = {"Content-Type": "application/merge-patch+json"}
        sent["headers"] |= headers
        if "multiValueHeaders" in sent:
            sent["multiValueHeaders"] |= {name: [value] for name, value in headers.items()}
        return HANDLERS[method].handler(sent, context)["statusCode"]

    assert request("PUT", json.dumps(ACME)) == 201
    assert request("PATCH", '{"name": "Acme Ltd"}') == 200
    assert brands.items["acme",]["name"] == "Acme Ltd"
    assert request("DELETE") == 204
    assert kinds(bus) == ["BrandUpdated", "BrandUpdated", "BrandDeleted"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_table_that_fails_fails_the_function(method, send, brands, bus):
    brands.fail_with = client_error("InternalServerError", "GetItem")

    with pytest.raises(type(brands.fail_with)):
        send(method, {"name": "Acme"})
    assert not bus.entries
