"""AWS's managed policies, by id.

AWS topics: CloudFront Developer Guide, "Use managed cache policies", "Use managed origin request
policies" and "Use managed response headers policies".
"""

from __future__ import annotations

from typing import Any

type Config = dict[str, Any]

_YEAR_S = 31_536_000


def _listed(names: tuple[str, ...]) -> Config:
    return {"Quantity": len(names), "Items": list(names)}


def _cache(
    name: str,
    comment: str,
    ttl: tuple[int, int, int],
    *,
    headers: tuple[str, ...] = (),
    cookies: str = "none",
    queries: str = "none",
    query_names: tuple[str, ...] = (),
    gzip: bool = True,
    brotli: bool = True,
) -> Config:
    minimum, default, maximum = ttl
    selected: Config = {"HeaderBehavior": "whitelist" if headers else "none"}
    if headers:
        selected["Headers"] = _listed(headers)
    query: Config = {"QueryStringBehavior": queries}
    if query_names:
        query["QueryStrings"] = _listed(query_names)
    return {
        "Comment": comment,
        "Name": f"Managed-{name}",
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": gzip,
            "EnableAcceptEncodingBrotli": brotli,
            "HeadersConfig": selected,
            "CookiesConfig": {"CookieBehavior": cookies},
            "QueryStringsConfig": query,
        },
    }


_ORIGIN_CONTROL = ("Host", "Origin", "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override")
CACHE: dict[str, Config] = {
    "658327ea-f89d-4fab-a63d-7e88639e58f6": _cache(
        "CachingOptimized", "Keeps much; no query strings or cookies", (1, 86_400, _YEAR_S)
    ),
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": _cache(
        "CachingOptimizedForUncompressedObjects",
        "Keeps much, nothing compressed",
        (1, 86_400, _YEAR_S),
        gzip=False,
        brotli=False,
    ),
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": _cache(
        "CachingDisabled", "Keeps nothing", (0, 0, 0), gzip=False, brotli=False
    ),
    "08627262-05a9-4f76-9ded-b50ca2e3a84f": _cache(
        "Elemental-MediaPackage",
        "For AWS Elemental MediaPackage",
        (0, 86_400, _YEAR_S),
        headers=("Origin",),
        queries="whitelist",
        query_names=("aws.manifestfilter", "start", "end", "m"),
        brotli=False,
    ),
    "2e54312d-136d-493c-8eb9-b001f22f67d2": _cache(
        "Amplify",
        "For AWS Amplify",
        (2, 2, 600),
        headers=("Authorization", "CloudFront-Viewer-Country", "Host"),
        cookies="all",
        queries="all",
    ),
    "83da9c7e-98b4-4e11-a168-04f0df8e2c65": _cache(
        "UseOriginCacheControlHeaders",
        "The origin says what is kept; no query strings",
        (0, 0, _YEAR_S),
        headers=_ORIGIN_CONTROL,
        cookies="all",
    ),
    "4cc15a8a-d715-48a4-82b8-cc0b614638fe": _cache(
        "UseOriginCacheControlHeaders-QueryStrings",
        "The origin says what is kept; with query strings",
        (0, 0, _YEAR_S),
        headers=_ORIGIN_CONTROL,
        cookies="all",
        queries="all",
    ),
}


def _origin_request(
    name: str, headers: str, names: tuple[str, ...] = (), others: str = "none"
) -> Config:
    selected: Config = {"HeaderBehavior": headers}
    if names:
        selected["Headers"] = _listed(names)
    return {
        "Comment": f"Managed policy {name}",
        "Name": f"Managed-{name}",
        "HeadersConfig": selected,
        "CookiesConfig": {"CookieBehavior": others},
        "QueryStringsConfig": {"QueryStringBehavior": others},
    }


_CORS = ("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method")
_CLOUDFRONT_2022 = (
    *("CloudFront-Forwarded-Proto", "CloudFront-Is-Android-Viewer", "CloudFront-Is-Desktop-Viewer"),
    *("CloudFront-Is-IOS-Viewer", "CloudFront-Is-Mobile-Viewer", "CloudFront-Is-SmartTV-Viewer"),
    *("CloudFront-Is-Tablet-Viewer", "CloudFront-Viewer-Address", "CloudFront-Viewer-ASN"),
    *("CloudFront-Viewer-City", "CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name"),
    *("CloudFront-Viewer-Country-Region", "CloudFront-Viewer-Country-Region-Name"),
    *("CloudFront-Viewer-Http-Version", "CloudFront-Viewer-Latitude", "CloudFront-Viewer-TLS"),
    *("CloudFront-Viewer-Longitude", "CloudFront-Viewer-Metro-Code"),
    *("CloudFront-Viewer-Postal-Code", "CloudFront-Viewer-Time-Zone"),
)
ORIGIN_REQUEST: dict[str, Config] = {
    "216adef6-5c7f-47e4-b989-5492eafa07d3": _origin_request("AllViewer", "allViewer", (), "all"),
    "b689b0a8-53d0-40ab-baf2-68738e2966ac": _origin_request(
        "AllViewerExceptHostHeader", "allExcept", ("Host",), "all"
    ),
    "33f36d7e-f396-46d9-90e0-52428a34d9dc": _origin_request(
        "AllViewerAndCloudFrontHeaders-2022-06",
        "allViewerAndWhitelistCloudFront",
        _CLOUDFRONT_2022,
        "all",
    ),
    "59781a5b-3903-41f3-afcb-af62929ccde1": _origin_request(
        "CORS-CustomOrigin", "whitelist", ("Origin",)
    ),
    "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": _origin_request("CORS-S3Origin", "whitelist", _CORS),
    "bf0718e1-ba1e-49d1-88b1-f726733018ae": _origin_request(
        "HostHeaderOnly", "whitelist", ("Host",)
    ),
    "acba4595-bd28-49b8-b9fe-13317c0390fa": _origin_request(
        "UserAgentRefererHeaders", "whitelist", ("User-Agent", "Referer")
    ),
}


def _response_headers(
    name: str, *, cors: bool = False, preflight: bool = False, security: bool = False
) -> Config:
    config: Config = {"Comment": f"Managed policy {name}", "Name": f"Managed-{name}"}
    if cors:
        everything = ("*",)
        methods = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
        config["CorsConfig"] = {
            "AccessControlAllowOrigins": _listed(everything),
            "AccessControlAllowHeaders": _listed(everything),
            "AccessControlAllowMethods": _listed(methods if preflight else ("GET", "HEAD")),
            "AccessControlAllowCredentials": False,
            "OriginOverride": False,
        }
        if preflight:
            config["CorsConfig"]["AccessControlExposeHeaders"] = _listed(everything)
    if security:
        config["SecurityHeadersConfig"] = {
            "XSSProtection": {"Override": False, "Protection": True, "ModeBlock": True},
            "FrameOptions": {"Override": False, "FrameOption": "SAMEORIGIN"},
            "ReferrerPolicy": {
                "Override": False,
                "ReferrerPolicy": "strict-origin-when-cross-origin",
            },
            "ContentTypeOptions": {"Override": True},
            "StrictTransportSecurity": {"Override": False, "AccessControlMaxAgeSec": _YEAR_S},
        }
    return config


RESPONSE_HEADERS: dict[str, Config] = {
    "60669652-455b-4ae9-85a4-c4c02393f86c": _response_headers("SimpleCORS", cors=True),
    "5cc3b908-e619-4b99-88e5-2cf7f45965bd": _response_headers(
        "CORS-With-Preflight", cors=True, preflight=True
    ),
    "67f7725c-6f97-4210-82d7-5512b31e9d03": _response_headers(
        "SecurityHeadersPolicy", security=True
    ),
    "e61eb60c-9c35-4d20-a928-2b84e02af89c": _response_headers(
        "CORS-and-SecurityHeadersPolicy", cors=True, security=True
    ),
    "eaab4381-ed33-4a86-88ca-d9558dc6cd63": _response_headers(
        "CORS-with-preflight-and-SecurityHeadersPolicy", cors=True, preflight=True, security=True
    ),
}
