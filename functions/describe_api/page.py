"""The reference page: the OpenAPI document as HTML, without scripts and without other files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

Part = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --soft: #5b646d; --line: #d9dee3;
  --back: #fff; --block: #f4f6f8; --link: #0550c8 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8eb; --soft: #9ba3ab; --line: #343a41;
    --back: #16191d; --block: #1f2429; --link: #7fb2ff }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.55 system-ui, sans-serif }
main, header { max-width: 58rem; margin: 0 auto; padding: 1.25rem }
h1 { margin: 0; font-size: 1.8rem } h2 { margin: 2.5rem 0 .5rem }
h3 { margin: 2rem 0 .25rem; font-size: 1.15rem } h4 { margin: 1.25rem 0 .25rem }
a { color: var(--link) } p { margin: .5rem 0 }
nav ul { list-style: none; padding: 0; columns: 20rem }
section.operation { border-top: 1px solid var(--line); margin-top: 2rem }
code, pre { font: .875em/1.5 ui-monospace, monospace }
code { background: var(--block); padding: .1em .3em; border-radius: .25em;
  overflow-wrap: anywhere }
pre { background: var(--block); padding: .75rem 1rem; border-radius: .5rem; overflow-x: auto }
td code { overflow-wrap: normal }
pre code { padding: 0; background: none }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
  border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 600; font-size: .875rem }
.method { display: inline-block; min-width: 5.5em; font-weight: 700 }
.soft { color: var(--soft) }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Nothing but this page's own style: no request leaves it, and no script runs on it.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def render(document: Part, problems: dict[str, str]) -> str:
    """The page.

    Args:
        document: An OpenAPI document whose references name schemas of `components` only.
        problems: What each type of problem means, by its type `/docs#<anchor>`.
    """
    info = document["info"]
    operations = [
        (method, path, operation, item.get("parameters", []))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>",
            f"<header><h1>{escape(info['title'])}</h1>",
            f'<p class="soft">{escape(info["summary"])} Version {escape(info["version"])}. ',
            '<a href="openapi.json">OpenAPI document</a></p></header><main>',
            _prose(info["description"]),
            '<nav aria-label="Contents"><ul>',
            *(_entry(method, path, operation) for method, path, operation, _ in operations),
            '<li><a href="#schemas">Schemas</a></li><li><a href="#problems">Problems</a></li>',
            '</ul></nav><h2 id="operations">Operations</h2>',
            *(_operation(*operation) for operation in operations),
            '<h2 id="schemas">Schemas</h2>',
            *(_schema(name, one) for name, one in document["components"]["schemas"].items()),
            '<h2 id="problems">Problems</h2><p>Types of problem details. With the type ',
            "<code>about:blank</code> the status says it all.</p>",
            *(_problem(kind, meaning) for kind, meaning in problems.items()),
            "</main></body></html>\n",
        ]
    )


def _entry(method: str, path: str, operation: Part) -> str:
    return (
        f'<li><a href="#{escape(operation["operationId"])}">'
        f'<span class="method">{method.upper()}</span>{escape(path)}</a></li>'
    )


def _operation(method: str, path: str, operation: Part, shared: list[Part]) -> str:
    name = escape(operation["operationId"])
    parts = [
        f'<section class="operation" id="{name}"><h3><span class="method">{method.upper()}</span>'
        f"<code>{escape(path)}</code></h3><p><strong>{escape(operation['summary'])}.</strong></p>",
        _prose(operation.get("description", "")),
    ]
    if parameters := [*shared, *operation.get("parameters", [])]:
        rows = [
            (
                f"<code>{escape(one['name'])}</code>",
                escape(one["in"]) + (", required" if one.get("required") else ""),
                _text(one.get("description", "")) + _limits(one["schema"]),
            )
            for one in parameters
        ]
        parts.append(_table("Parameters", ("Name", "In", "Meaning"), rows))
    if body := operation.get("requestBody"):
        content = body["content"]
        example = json.dumps(next(iter(content.values()))["example"], indent=2, ensure_ascii=False)
        parts.append(f"<h4>Body</h4><p>{_content(content)}</p>")
        parts.append(f"<pre><code>{escape(example)}</code></pre>")
    answers = [
        (
            f"<code>{escape(status)}</code>",
            _text(answer["description"]),
            " ".join(f"<code>{escape(one)}</code>" for one in answer.get("headers", {})),
            _content(answer.get("content", {})),
        )
        for status, answer in operation["responses"].items()
    ]
    parts.append(_table("Answers", ("Status", "When", "Headers", "Content"), answers))
    return "".join([*parts, "</section>"])


def _schema(name: str, schema: Part) -> str:
    required = set(schema.get("required", []))
    rows = [
        (
            f"<code>{escape(key)}</code>",
            _type(value) + (", required" if key in required else ""),
            _text(value.get("description", "")) + _limits(value),
        )
        for key, value in schema.get("properties", {}).items()
        if value is not False
    ]
    table = _table("", ("Member", "Type", "Meaning"), rows)
    heading = f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>'
    return heading + _prose(schema.get("description", "")) + table


def _problem(kind: str, meaning: str) -> str:
    anchor = kind.partition("#")[2]
    return f'<h3 id="{escape(anchor)}"><code>{escape(kind)}</code></h3>{_prose(meaning)}'


def _type(schema: Part) -> str:
    if "$ref" in schema:
        return _reference(schema)
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    kind = schema.get("type", "any")
    text = escape(kind if isinstance(kind, str) else " or ".join(kind))
    items = schema.get("items")
    return f"{text} of {_type(items)}" if items else text


def _limits(schema: Part) -> str:
    """Numbers and defaults of a schema. Its pattern is for programs: the description says it."""
    said = []
    if "minimum" in schema and "maximum" in schema:
        said.append(f"{schema['minimum']} to {schema['maximum']}")
    elif "minimum" in schema:
        said.append(f"at least {schema['minimum']}")
    if "default" in schema:
        said.append(f"default {schema['default']}")
    if "examples" in schema:
        said.append(f"for example <code>{escape(str(schema['examples'][0]))}</code>")
    return f' <span class="soft">({"; ".join(said)})</span>' if said else ""


def _content(content: Part) -> str:
    return "<br>".join(
        f"<code>{escape(media_type)}</code> {_reference(one['schema'])}"
        for media_type, one in content.items()
    )


def _reference(schema: Part) -> str:
    name = escape(str(schema.get("$ref", "")).rpartition("/")[2])
    return f'<a href="#schema-{name}">{name}</a>' if name else ""


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    heading = f"<h4>{title}</h4>" if title else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'{heading}<div class="wide">{table}</div>'


def _prose(text: str) -> str:
    return "".join(f"<p>{_text(part)}</p>" for part in text.split("\n\n") if part.strip())


def _text(text: str) -> str:
    """Plain text with `code` between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text.strip(), quote=False))
