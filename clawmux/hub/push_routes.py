"""The routes of push messages: the hub's key, this device's subscription, and trying it out.

app.add_routes(ROUTES)      GET, POST and DELETE /api/push, POST /api/push/test
join(app, runtime)          ties subscriptions to the logins

They are the page's alone: a subscription belongs to the login of its browser, and ends with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from clawmux.hub.body import read_json
from clawmux.hub.browser import RUNTIME
from clawmux.hub.guard import AUTH, CALLER
from clawmux.hub.runtime import Runtime
from clawmux.hub.subscriptions import Subscription, checked_keys, checked_kinds
from clawmux.wire.codec import decode_as
from clawmux.wire.errors import ClawMuxError

BODY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a browser's ``PushSubscription`` holds, and what its user wants to be told."""

    endpoint: str
    p256dh: str
    auth: str
    kinds: list[Any] = field(default_factory=list)
    words: bool = False


@dataclass(frozen=True, slots=True)
class Unwanted:
    endpoint: str = ""
    """Empty: all of this device."""


def join(app: web.Application, runtime: Runtime) -> None:
    auth = app[AUTH]
    runtime.notifier.good_logins = lambda: auth.logins.devices(auth.clock())


async def get_push(request: web.Request) -> web.Response:
    notifier = request.app[RUNTIME].notifier
    mine = notifier.subscriptions.of(request[CALLER].login)
    view = [{"id": s.id, "kinds": [kind.value for kind in s.kinds], "words": s.words} for s in mine]
    return web.json_response({"key": await notifier.push.public_key(), "subscriptions": view})


async def subscribe(request: web.Request) -> web.Response:
    """New, or with other wishes."""
    notifier = request.app[RUNTIME].notifier
    wanted = decode_as(Wanted, await read_json(request, BODY_BYTES), "the subscription")
    await notifier.push.public_key()  # which loads, beside the loop, what the keys are checked with
    p256dh, secret = checked_keys(wanted.p256dh, wanted.auth)
    kinds = checked_kinds(wanted.kinds)
    await notifier.push.check(wanted.endpoint)
    subscription = Subscription(wanted.endpoint, p256dh, secret, request[CALLER].login, kinds, wanted.words)
    notifier.subscriptions.put(subscription)
    notifier.logins_changed()  # it may have been put out while the endpoint was looked at
    return web.json_response({"id": subscription.id})


async def unsubscribe(request: web.Request) -> web.Response:
    subscriptions = request.app[RUNTIME].notifier.subscriptions
    unwanted = decode_as(Unwanted, await read_json(request, BODY_BYTES), "the subscription")
    mine = [s for s in subscriptions.of(request[CALLER].login) if unwanted.endpoint in ("", s.endpoint)]
    if unwanted.endpoint and not mine:
        raise ClawMuxError("not_found", "this device has no such subscription.", "It gets no push messages.")
    for subscription in mine:
        subscriptions.drop(subscription.id)
    return web.json_response({"dropped": len(mine)})


async def try_out(request: web.Request) -> web.Response:
    """``pushed``: so many messages are on their way; with 0 the device's open pages show it."""
    await read_json(request, BODY_BYTES)
    return web.json_response({"pushed": request.app[RUNTIME].notifier.try_out(request[CALLER].login)})


ROUTES = [
    web.get("/api/push", get_push),
    web.post("/api/push", subscribe),
    web.delete("/api/push", unsubscribe),
    web.post("/api/push/test", try_out),
]
