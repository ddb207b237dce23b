"""The OpenAPI document is valid and true of the functions; the page shows all of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from functions.describe_api.document import DOCUMENT, PROBLEMS
from functions.describe_api.page import SECURITY_HEADERS, render
from functions.describe_api.schemas import BRAND_ID, SCHEMAS
from functions.patch_brand.merge import MEDIA_TYPES, patched
from functions.shared.brand_draft import draft_of
from functions.shared.brand_view import PUBLIC_ATTRIBUTES
from functions.shared.names import is_brand_id
from functions.shared.write_answers import CONFLICT, INVALID_BRAND, NOT_ANNOUNCED
from functions.shared.write_errors import InvalidBrandError

ROOT = Path(__file__).parents[3]
PAGE = render(DOCUMENT, PROBLEMS)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
ACME = {"name": "Acme", "contactEmail": "a@b.example", "colors": {"primary": "#0b5fff"}}


def test_the_document_is_an_openapi_document():
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(json.loads(json.dumps(DOCUMENT)))


def test_the_document_has_every_route_of_the_http_api_and_no_other():
    definition = (ROOT / "serverless.yml").read_text()
    routes = set(re.findall(r"- httpApi: (\S+ \S+)", definition))
    assert routes == set(OPERATIONS)


def test_every_operation_can_fail_as_api_gateway_lets_it():
    for name, operation in OPERATIONS.items():
        assert {"404", "405", "413", "431", "500", "503"} <= operation["responses"].keys(), name


def test_the_media_types_of_a_patch_are_the_functions():
    assert tuple(OPERATIONS["PATCH /brand/{brandId}"]["requestBody"]["content"]) == MEDIA_TYPES


def test_the_schema_of_a_brand_has_every_attribute_that_is_shown():
    assert set(SCHEMAS["Brand"]["properties"]) == set(PUBLIC_ATTRIBUTES)


def test_every_type_of_problem_is_described():
    assert set(PROBLEMS) == {CONFLICT, INVALID_BRAND, NOT_ANNOUNCED}


def test_the_examples_are_valid():
    for operation in OPERATIONS.values():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = SCHEMAS[content["schema"]["$ref"].rpartition("/")[2]]
            OAS31Validator(schema).validate(content["example"])


@given(st.from_regex(BRAND_ID) | st.text())
@example("a\n")
def test_brand_ids_are_those_of_the_schema(text):
    # Python's `$` also matches before a last newline; in JSON Schema it does not.
    valid = OAS31Validator({"pattern": BRAND_ID}).is_valid(text) and not text.endswith("\n")
    assert valid == is_brand_id(text)


SPACES = st.text("\t\n\v\f\r \x1c\x1f\x85\xa0\u2003\u2028\u3000\ufeff\u200b", max_size=2)


def padded(texts):
    return st.builds(lambda before, text, after: before + text + after, SPACES, texts, SPACES)


TEXTS = st.one_of(
    st.text(max_size=4),
    padded(st.sampled_from(["Acme", "a b", "a\nb", "a@b.example", "a@b", "é@b.example"])),
    padded(st.sampled_from(["#0b5fff", "#0B5FFG", "#fff", "https://a.example", "http://a/b?c#d"])),
    padded(st.sampled_from(["https://a@b", "https://", "ftp://a", "https://a b", "x" * 200])),
    st.sampled_from(["x" * 201, "x" * 64 + "@b.example", "x" * 65 + "@b.example", "", " "]),
)
VALUES = TEXTS | st.none() | st.integers() | st.lists(TEXTS, max_size=1)
NAMES = padded(st.sampled_from(["primary", "accent", "a-1", "1a", "x" * 32, "x" * 33])) | TEXTS
COLORS = st.dictionaries(NAMES, VALUES, max_size=3) | VALUES
DRAFTS = st.fixed_dictionaries(
    {},
    optional={
        "name": VALUES,
        "contactEmail": VALUES,
        "website": VALUES,
        "colors": COLORS,
        "surprise": VALUES,
        "version": VALUES,
    },
)


def accepts(read, data):
    try:
        read(data)
    except InvalidBrandError:
        return False
    return True


def newline_ends(data):
    """Whether Python's `$` could match before a newline where JSON Schema's does not."""
    return "\n" in json.dumps(data, ensure_ascii=False) or r"\n" in json.dumps(data)


@settings(max_examples=500)
@given(DRAFTS.map(lambda data: ACME | data) | DRAFTS | VALUES)
def test_the_schema_of_a_draft_accepts_what_put_accepts(data):
    colors = data.get("colors") if isinstance(data, dict) else None
    if isinstance(colors, dict) and "primary" not in colors:
        return  # A name of a colour may have white space around it: no schema can require that.
    if newline_ends(data):
        return
    assert OAS31Validator(SCHEMAS["BrandDraft"]).is_valid(data) == accepts(draft_of, data), data


@settings(max_examples=500)
@given(DRAFTS | VALUES)
def test_the_schema_of_a_patch_accepts_what_patch_accepts(data):
    if newline_ends(data):
        return
    found = accepts(lambda patch: patched(ACME, patch), data)
    assert OAS31Validator(SCHEMAS["BrandPatch"]).is_valid(data) == found, data


class Links(HTMLParser):
    """What a page refers to, and what it can be referred to."""

    def __init__(self):
        super().__init__()
        self.targets, self.anchors, self.tags = [], set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "srcset", "action"}:
                self.targets.append(value)
            if name == "id":
                assert value not in self.anchors
                self.anchors.add(value)


def test_the_page_asks_for_nothing_and_all_of_its_links_lead_somewhere():
    links = Links()
    links.feed(PAGE)

    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & links.tags
    assert "url(" not in PAGE
    assert "@import" not in PAGE
    for target in set(links.targets) - {"openapi.json"}:
        assert target.startswith("#"), target
        assert target[1:] in links.anchors, target


def test_the_page_has_every_operation_schema_and_problem():
    links = Links()
    links.feed(PAGE)

    for operation in OPERATIONS.values():
        assert operation["operationId"] in links.anchors
    for name in SCHEMAS:
        assert f"schema-{name}" in links.anchors
    for kind in PROBLEMS:
        path, _, anchor = kind.partition("#")
        assert path == "/docs"
        assert anchor in links.anchors


def test_the_page_is_for_light_and_dark_screens_and_its_policy_allows_its_style_alone():
    style = PAGE.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert "color-scheme: light dark" in style
    assert "@media (prefers-color-scheme: dark)" in style
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")


def test_texts_of_the_document_are_no_markup():
    document = json.loads(json.dumps(DOCUMENT))
    document["info"]["title"] = "<script>alert(1)</script>"
    document["paths"]["/brands"]["get"]["summary"] = "<img src=x>"

    page = render(document, PROBLEMS)

    assert "<script" not in page
    assert "<img" not in page
