"""Reading a JSON body: bounded, strict, and every refusal names what was wrong. Knows nothing of what fields mean."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import hdrs, web

from clawmux.wire.errors import ClawMuxError

BODY_BYTES = 256 * 1024
# Our own messages nest 4 deep. A fixed number gives the same answer on every Python; its own limit differs.
DEPTH = 32
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


async def read_json(request: web.Request, limit: int = BODY_BYTES) -> dict[str, Any]:
    """The object in the body. Raises ``unsupported``, ``too_large`` or ``usage``."""
    if request.content_type != "application/json":
        raise ClawMuxError("unsupported", f"Content-Type {request.content_type!r} is not application/json.", "Send JSON.")
    return parse_object(await read_body(request, limit))


async def read_body(request: web.Request, limit: int) -> bytes:
    """At most ``limit`` bytes; stops reading at the first one more."""
    if hdrs.CONTENT_ENCODING in request.headers:
        # A small compressed body may be gigabytes; nothing of ours sends one.
        raise ClawMuxError("unsupported", "Content-Encoding is not taken.", "Send the body as it is.")
    too_large = ClawMuxError("too_large", f"the body is larger than {limit} bytes.", "Send less, or name a file.")
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def parse_object(body: bytes | str) -> dict[str, Any]:
    """A JSON object, its texts free of lone surrogates (they cannot be stored, nor sent on). Raises ``usage``."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        found = clean(json.loads(text, parse_constant=_refuse_constant))
    except UnicodeDecodeError as error:
        raise _wrong(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _wrong(f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise _wrong(f"nested deeper than {DEPTH}") from None
    except ValueError:
        # Python's guard against numbers of thousands of digits.
        raise _wrong("a number that is too long") from None
    if not isinstance(found, dict):
        raise _wrong(f"a JSON {_NAMES.get(type(found), 'number')} where an object was expected")
    return found


def clean(value: Any, depth: int = 0) -> Any:
    if depth > DEPTH:
        raise RecursionError
    if isinstance(value, str):
        return _LONE_SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item, depth + 1) for name, item in value.items()}
    return value


_NAMES = {list: "list", str: "text", bool: "boolean", type(None): "null"}


def _wrong(what: str) -> ClawMuxError:
    return ClawMuxError("usage", f"the body is {what}.", "Send one JSON object in UTF-8.")


def _refuse_constant(name: str) -> Any:
    raise _wrong(f"not JSON: {name} is no number there")
