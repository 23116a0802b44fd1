"""OpenAPI as a page that can be read and searched: each operation with what it takes and what it answers."""

from __future__ import annotations

import json
from typing import Any

Schema = dict[str, Any]
METHODS = ("get", "head", "post", "put", "delete")
HEAD = """# HTTP operations

Generated from the service's own description, which a running service has at `/openapi.json`. What operations mean, and
what holds for all of them, is on [the page about the interface](../http.md). Errors are
`application/problem+json`: 400 it cannot be read, 404 there is nothing of that name, 409 it is not in a state for this,
412 somebody else changed it, 413 too large, 415 of a kind that is not taken, 422 it cannot work as asked, 429 too many
at a time, 503 something that the service needs is down, 504 nobody answered in time.
"""


def operations_page(openapi: Schema) -> str:
    """The page, in Markdown.

    Args:
        openapi: The description.
    """
    schemas = openapi.get("components", {}).get("schemas", {})
    parts = [HEAD]
    for path, methods in openapi["paths"].items():
        for method in METHODS:
            if method in methods:
                parts.append(_operation(method.upper(), path, methods[method]))
    parts.append("## Bodies\n")
    parts += [_object(name, schema) for name, schema in sorted(schemas.items())]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Schema) -> str:
    told = [f"## `{method} {path}`\n", f"{(operation.get('description') or operation.get('summary') or '').strip()}\n"]
    if parameters := operation.get("parameters"):
        rows = [[f"`{one['name']}`", one["in"], _kind(one["schema"]), _meaning(one)] for one in parameters]
        told.append(_table(["parameter", "in", "type", "meaning"], rows))
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        told.append("Takes " + "; ".join(_content(kind, one) for kind, one in body.items()) + ".\n")
    answers = operation["responses"]
    rows = [[code, one.get("description", ""), _bodies(one)] for code, one in answers.items() if code < "400"]
    told.append(_table(["status", "meaning", "body"], rows))
    if errors := [code for code in answers if code >= "400"]:
        told.append(f"Errors: {', '.join(errors)}.\n")
    return "\n".join(told)


def _bodies(answer: Schema) -> str:
    return "; ".join(_content(kind, its) for kind, its in answer.get("content", {}).items())


def _content(kind: str, content: Schema) -> str:
    schema = content.get("schema")
    return f"`{kind}`" + (f" {_kind(schema)}" if schema else "")


def _object(name: str, schema: Schema) -> str:
    told = [f"### {name}\n"]
    if schema.get("description"):
        told.append(schema["description"].strip() + "\n")
    required = schema.get("required", [])
    rows = [[f"`{field}`", _kind(one), "yes" if field in required else "", _meaning(one)]
            for field, one in schema.get("properties", {}).items()]  # fmt: skip
    told.append(_table(["field", "type", "required", "meaning"], rows) if rows else f"{_kind(schema)}\n")
    return "\n".join(told)


def _kind(schema: Schema) -> str:
    """A type in few words; one that has a name as a link to it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_kind(one) for one in options))
    if "allOf" in schema:
        return " and ".join(_kind(one) for one in schema["allOf"])
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(kind) + _bounds(schema)


def _bounds(schema: Schema) -> str:
    said = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[name]}" for name, sign in said.items() if name in schema]
    return f" {', '.join(bounds)}" if bounds else ""


def _meaning(one: Schema) -> str:
    schema = one.get("schema", one)
    told = [one.get("description") or schema.get("description") or ""]
    if "default" in schema and schema["default"] is not None:
        told.append(f"{json.dumps(schema['default'])} by default")
    return "; ".join(part for part in told if part)


def _table(names: list[str], rows: list[list[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
