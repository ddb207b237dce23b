"""The colours computed are right, and only a brand that still has these colours gets them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from function_fakes import FakeTable, client_error
from hypothesis import given
from hypothesis import strategies as st

from functions.regenerate_palette import handler as regenerate_palette
from functions.regenerate_palette.palette import (
    contrast,
    luminance,
    palette_of,
    parse,
    swatch,
)
from functions.regenerate_palette.store import BrandMissingError

EVENT = "eventbridge-brand-updated-colors"
COLORS = {"primary": "#0b5fff", "accent": "#ffb000"}
ANY_COLOR = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.fixture
def brands(monkeypatch):
    table = FakeTable("brandId")
    monkeypatch.setattr(regenerate_palette, "brands", table)
    return table


def test_the_palette_is_stored_on_the_brand(brands, event, context):
    brands.put_item(Item={"brandId": "acme", "name": "Acme", "colors": COLORS})

    result = regenerate_palette.handler(event(EVENT), context)

    item = brands.items["acme",]
    assert result == {"brandId": "acme", "stored": True}
    assert item["palette"] == palette_of(COLORS)
    assert item["name"] == "Acme"


def test_a_stale_event_changes_nothing(brands, event, context, logged):
    brands.put_item(Item={"brandId": "acme", "colors": {"primary": "#000000"}})
    lines = logged(regenerate_palette)

    result = regenerate_palette.handler(event(EVENT), context)

    assert result == {"brandId": "acme", "stored": False}
    assert "palette" not in brands.items["acme",]
    assert "Stale event: no palette" in [line["message"] for line in lines]


def test_an_event_of_a_brand_that_was_deleted_since_is_stale(brands, event, context):
    left = {"brandId": "acme", "version": Decimal(2), "deletedAt": "2026-11-23T05:00:00.000000Z"}
    brands.put_item(Item=left)

    assert regenerate_palette.handler(event(EVENT), context)["stored"] is False
    assert brands.items["acme",] == left


def test_a_missing_brand_is_raised_and_not_created(brands, event, context):
    with pytest.raises(BrandMissingError):
        regenerate_palette.handler(event(EVENT), context)
    assert not brands.items


def test_a_table_that_fails_is_raised(brands, event, context):
    brands.fail_with = client_error("InternalServerError", "UpdateItem")

    with pytest.raises(type(brands.fail_with)):
        regenerate_palette.handler(event(EVENT), context)


@pytest.mark.parametrize(
    "colors", [None, {}, [], "#0b5fff", {"primary": "blue"}, {"primary": None}, {"p": "#0b5fff\n"}]
)
def test_colors_that_are_none_are_raised(colors, brands, event, context):
    brands.put_item(Item={"brandId": "acme", "colors": COLORS})
    made = event(EVENT)
    made["detail"]["changes"]["colors"] = colors

    with pytest.raises(ValueError, match="not a"):
        regenerate_palette.handler(made, context)
    assert "palette" not in brands.items["acme",]


def test_a_brand_id_that_is_none_is_raised(brands, event, context):
    made = event(EVENT)
    made["detail"]["brandId"] = ""

    with pytest.raises(ValueError, match="brand id"):
        regenerate_palette.handler(made, context)


def test_one_swatch_by_hand():
    assert swatch("#3366CC") == {
        "base": "#3366cc",
        "tints": ["#5580d5", "#7799dd", "#99b3e6", "#bbccee", "#dde6f7"],
        "shades": ["#2b55aa", "#224488", "#1a3366", "#112244", "#091122"],
        "text": "#ffffff",
        "contrast": Decimal("5.36"),
    }


@pytest.mark.parametrize(
    ("color", "expected"),
    # WCAG 2.2's own definition: the channels' weights at full intensity.
    [("#000000", 0), ("#ffffff", 1), ("#ff0000", 0.2126), ("#00ff00", 0.7152), ("#0000ff", 0.0722)],
)
def test_luminance_follows_wcag(color, expected):
    assert luminance(parse(color)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    # Known from accessibility tools: black on white, and the grey that just passes AA on white.
    [("#000000", "#ffffff", 21), ("#767676", "#ffffff", 4.54), ("#777777", "#ffffff", 4.48)],
)
def test_contrast_follows_wcag(one, other, ratio):
    assert contrast(parse(one), parse(other)) == pytest.approx(ratio, abs=0.005)
    assert contrast(parse(one), parse(other)) == contrast(parse(other), parse(one))


@given(ANY_COLOR)
def test_a_ratio_is_never_rounded_up_to_a_threshold(color):
    made = swatch(color)

    exact = Decimal(contrast(parse(color), parse(made["text"])))
    assert 0 <= exact - made["contrast"] < Decimal("0.01")


@given(ANY_COLOR)
def test_the_text_color_is_always_readable(color):
    made = swatch(color)

    other = {"#000000": "#ffffff", "#ffffff": "#000000"}[made["text"]]
    assert contrast(parse(color), parse(made["text"])) >= contrast(parse(color), parse(other))
    # The worst of all colours still has the root of 21 with the better of black and white.
    assert made["contrast"] >= Decimal("4.58")


@given(ANY_COLOR)
def test_tints_get_lighter_and_shades_darker(color):
    made = swatch(color)

    tints = [luminance(parse(tint)) for tint in [color, *made["tints"]]]
    shades = [luminance(parse(shade)) for shade in [color, *made["shades"]]]
    assert tints == sorted(tints)
    assert shades == sorted(shades, reverse=True)
    assert len(made["tints"]) == len(made["shades"]) == 5
