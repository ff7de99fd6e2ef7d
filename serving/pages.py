"""`/docs`: one plain page made from the OpenAPI document, so that it works without any other server."""

from html import escape
from typing import Any

from serving.problems import KINDS

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}code{background:#eee;padding:0 .2rem}"
)


def docs_page(document: dict[str, Any]) -> str:
    """The operations with their parameters, and the kinds of problem, each under its anchor."""
    operations = "".join(
        _operation(path, operation) for path, item in document["paths"].items() for operation in item.values()
    )
    problems = "".join(f'<h3 id="{kind}">{escape(kind)}</h3><p>{escape(text)}</p>' for kind, text in KINDS.items())
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(document['info'].get('description', ''))} "
        'The whole description for programs: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<h2>Operations</h2>{operations}<h2>Problems</h2>{problems}</html>"
    )


def _operation(path: str, operation: dict[str, Any]) -> str:
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", ()))
    table = f"<table>{rows}</table>" if rows else ""
    text = escape(operation.get("description", ""))
    return f"<h3>GET <code>{escape(path)}</code></h3><p>{escape(operation['summary'])}. {text}</p>{table}"


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    choices = [schema, *schema.get("anyOf", ())]
    examples = next((choice["examples"] for choice in choices if "examples" in choice), [""])
    text = parameter.get("description", "") or next((c["description"] for c in choices if "description" in c), "")
    need = "required" if parameter["required"] else ""
    return f"<tr><th>{escape(parameter['name'])}<td>{need}<td>{escape(text)}<td><code>{escape(str(examples[0]))}</code>"
