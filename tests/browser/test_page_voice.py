"""The voice reducer: every state and event is decided, and the stories of a conversation come out right."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.page_fixtures import blank_page
from tests.stand_ins.page_hub import PageHub

pytestmark = pytest.mark.browser

RUN = """async ({ start, events }) => {
  const { INITIAL, reduce } = await import('/static/voice.js');
  let state = { ...INITIAL, unlocked: true, mode: 'idle', session: 'sky', ...start };
  const steps = [];
  for (const event of events) {
    const moved = reduce(state, { at_ms: 1, ...event });
    state = moved.state;
    steps.push([state.mode, moved.effects.map(({ do: name, why, name: cue }) => [name, why ?? cue].filter(Boolean).join(' '))]);
  }
  return { state, steps };
}"""

READY = {"type": "mic_ready", "turn": "t"}
TAP = {"type": "tap", "turn": "t"}
PRESS = {"type": "press", "turn": "t"}
SPEECH = {"type": "speech_start", "stream": "s", "session_id": "sky"}
OVER = {"type": "speech_over", "stream": "s"}
OVERHEARD = {"type": "overheard", "turn": "t", "session_id": "sky"}
ASKED = {"type": "listening", "session_id": "sky", "auto": True, "turn": "t"}
DONE = {"type": "turn_done", "turn": "t", "text": "hello"}
NOTHING = {"type": "turn_done", "turn": "t", "text": None}


def e(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": name, **fields}


STORIES: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[tuple[str, list[str]]]]] = {
    "tap, tap": (
        {},
        [TAP, READY, TAP, DONE],
        [("arming", ["arm tap"]), ("listening", ["open tap"]), ("sending", ["close send", "cue sent"]), ("waiting", ["forget"])],
    ),
    "hold": (
        {},
        [PRESS, READY, e("hold_long"), e("release"), NOTHING],
        [
            ("arming", ["arm"]), ("arming", []), ("listening", ["open hold"]),
            ("sending", ["close send", "cue sent"]), ("idle", ["forget"]),
        ],
    ),
    "a short press is a tap, a second one sends": (
        {},
        [PRESS, READY, e("release"), PRESS, e("release")],
        [
            ("arming", ["arm"]), ("arming", []), ("listening", ["open tap"]),
            ("listening", []), ("sending", ["close send", "cue sent"]),
        ],
    ),
    "held while the browser still asks, let go: nothing happened": (
        {},
        [PRESS, e("hold_long"), e("release"), READY],
        [("arming", ["arm"]), ("arming", []), ("idle", ["drop"]), ("idle", [])],
    ),
    "escape discards": (
        {},
        [TAP, READY, e("escape"), NOTHING],
        [("arming", ["arm tap"]), ("listening", ["open tap"]), ("idle", ["close discard"]), ("idle", ["forget"])],
    ),
    "a question opens the microphone after it was heard": (
        {},
        [SPEECH, OVER, ASKED, READY, e("turn_end", turn="t"), DONE],
        [
            ("speaking", ["play"]), ("idle", []), ("arming", ["show", "arm auto"]),
            ("listening", ["open auto", "cue listen"]), ("sending", ["close send"]), ("waiting", ["forget"]),
        ],
    ),
    "in manual mode it does not, until auto is switched on": (
        {"auto": False},
        [ASKED, e("auto")],
        [("idle", []), ("arming", ["prefs", "show", "arm auto"])],
    ),
    "a typed answer closes the microphone that opened by itself": (
        {},
        [ASKED, READY, e("answered", session_id="sky")],
        [("arming", ["show", "arm auto"]), ("listening", ["open auto", "cue listen"]), ("waiting", ["close discard"])],
    ),
    "a tap interrupts and listens": (
        {},
        [SPEECH, TAP, READY, OVER],
        [
            ("speaking", ["play"]), ("arming", ["interrupt", "stop interrupted", "arm barge"]),
            ("listening", ["open barge"]), ("listening", []),
        ],
    ),
    "escape only stops": ({}, [SPEECH, e("escape")], [("speaking", ["play"]), ("idle", ["interrupt", "stop interrupted"])]),
    "speech waits for the end of a turn": (
        {},
        [TAP, READY, SPEECH, TAP, DONE, OVER],
        [
            ("arming", ["arm tap"]), ("listening", ["open tap"]), ("listening", []),
            ("sending", ["close send", "cue sent"]), ("speaking", ["forget", "play"]), ("idle", []),
        ],
    ),
    "locked: speech waits for a gesture": (
        {"unlocked": False, "mode": "locked"},
        [SPEECH, TAP, e("unlocked"), OVER],
        [("locked", []), ("locked", []), ("speaking", ["play"]), ("idle", [])],
    ),
    "the device stops the sound, a tap brings it back": (
        {},
        [SPEECH, e("audio_lost"), e("unlocked"), OVER],
        [("speaking", ["play"]), ("paused", ["pause"]), ("speaking", ["play"]), ("idle", [])],
    ),
    "paused by the person it waits for them, and a tap interrupts it": (
        {},
        [SPEECH, e("pause"), e("unlocked"), SPEECH, e("resume"), e("pause"), TAP],
        [
            ("speaking", ["play"]), ("paused", ["pause"]), ("paused", []), ("paused", []), ("speaking", ["play"]),
            ("paused", ["pause"]), ("arming", ["interrupt", "stop interrupted", "arm barge"]),
        ],
    ),
    "a pause outlives the loss of the sound": (
        {},
        [SPEECH, e("pause"), e("audio_lost"), e("resume"), e("unlocked"), OVER],
        [("speaking", ["play"]), ("paused", ["pause"]), ("paused", []), ("paused", []), ("speaking", ["play"]), ("idle", [])],
    ),
    "the next speech is not held": (
        {},
        [SPEECH, e("pause"), {**SPEECH, "stream": "u"}],
        [("speaking", ["play"]), ("paused", ["pause"]), ("speaking", ["stop interrupted", "play"])],
    ),
    "skip ends it": ({}, [SPEECH, e("skip")], [("speaking", ["play"]), ("idle", ["interrupt", "stop interrupted"])]),
    "talked into, with words: interrupted": (
        {},
        [SPEECH, OVERHEARD, e("turn_end", turn="t"), DONE],
        [
            ("speaking", ["play"]), ("listening", ["pause", "show"]), ("sending", ["close send"]),
            ("waiting", ["interrupt", "stop interrupted", "forget"]),
        ],
    ),
    "talked into, without words: it goes on": (
        {},
        [SPEECH, OVERHEARD, e("turn_end", turn="t"), NOTHING, OVER],
        [
            ("speaking", ["play"]), ("listening", ["pause", "show"]), ("sending", ["close send"]),
            ("speaking", ["forget", "play"]), ("idle", []),
        ],
    ),
    "talked into, and discarded: it goes on": (
        {},
        [SPEECH, OVERHEARD, e("escape")],
        [("speaking", ["play"]), ("listening", ["pause", "show"]), ("speaking", ["close discard", "play"])],
    ),
    "talked into, and another device takes the sound": (
        {},
        [SPEECH, OVERHEARD, e("owner", mine=False)],
        [("speaking", ["play"]), ("listening", ["pause", "show"]), ("idle", ["close lost", "stop not_owner"])],
    ),
    "words to be reviewed go into the text box": (
        {},
        [TAP, READY, TAP, {**DONE, "review": True}],
        [
            ("arming", ["arm tap"]), ("listening", ["open tap"]), ("sending", ["close send", "cue sent"]),
            ("idle", ["forget", "review"]),
        ],
    ),
    "mute ends a turn and stays; agents still speak": (
        {},
        [TAP, READY, e("mute"), ASKED, SPEECH, OVER, TAP],
        [
            ("arming", ["arm tap"]), ("listening", ["open tap"]), ("muted", ["close mute", "prefs"]), ("muted", []),
            ("speaking", ["play"]), ("muted", []), ("arming", ["prefs", "show", "arm auto"]),
        ],
    ),
    "no microphone: it says why, another tap tries again": (
        {},
        [TAP, e("mic_failed", why="denied"), TAP, READY],
        [("arming", ["arm tap"]), ("blocked", ["drop"]), ("arming", ["arm tap"]), ("listening", ["open tap"])],
    ),
    "an insecure page has none, and still plays": (
        {"mic": "insecure", "mode": "blocked"},
        [TAP, ASKED, SPEECH, TAP],
        [("blocked", []), ("blocked", []), ("speaking", ["play"]), ("blocked", ["interrupt", "stop interrupted"])],
    ),
    "another device takes the sound": (
        {},
        [SPEECH, e("owner", mine=False), ASKED],
        [("speaking", ["play"]), ("idle", ["stop not_owner"]), ("idle", [])],
    ),
    "a stream announced again goes on": ({}, [SPEECH, SPEECH], [("speaking", ["play"]), ("speaking", ["play"])]),
    "the agent ends while it is spoken to": (
        {},
        [TAP, READY, e("session_gone", session_id="sky")],
        [("arming", ["arm tap"]), ("listening", ["open tap"]), ("idle", ["drop"])],
    ),
    "the answer to an old turn does not end a new one": (
        {},
        [TAP, READY, TAP, e("escape"), {**TAP, "turn": "u"}, DONE],
        [
            ("arming", ["arm tap"]), ("listening", ["open tap"]), ("sending", ["close send", "cue sent"]), ("idle", []),
            ("arming", ["arm tap"]), ("arming", ["forget"]),
        ],
    ),
}  # fmt: skip


@pytest_asyncio.fixture(name="stories", loop_scope="session")
async def _stories(browser: Browser, hub: PageHub) -> dict[str, Any]:
    page = await blank_page(browser, hub)
    return {name: await page.evaluate(RUN, {"start": start, "events": events}) for name, (start, events, _) in STORIES.items()}


async def test_stories(stories: dict[str, Any]) -> None:
    for name, (_, _, wanted) in STORIES.items():
        assert [(mode, effects) for mode, effects in stories[name]["steps"]] == wanted, name


async def test_every_state_and_event_is_decided(browser: Browser, hub: PageHub) -> None:
    """Each cell names a move that exists, and applying it keeps the state whole."""
    page = await blank_page(browser, hub)
    faults = await page.evaluate(
        """async () => {
          const { EVENTS, INITIAL, MODES, MOVES, MOVE_OF, controls, reduce } = await import('/static/voice.js');
          const known = ['arm', 'open', 'close', 'drop', 'forget', 'play', 'pause', 'stop', 'interrupt', 'cue', 'show', 'prefs',
            'review'];
          const turn = { id: 't', session_id: 'sky', why: 'tap', ready: true, pressed: false };
          const stream = { id: 's', session_id: 'sky' };
          const base = { ...INITIAL, session: 'sky', unlocked: true };
          const whole = {
            locked: { unlocked: false }, idle: {}, arming: { turn: { ...turn, ready: false } },
            listening: { turn }, sending: { turn }, waiting: { waiting_for: 'sky' }, speaking: { stream },
            paused: { stream, unlocked: false }, 'paused, held': { stream, held: true },
            'listening, overheard': { turn: { ...turn, why: 'overheard' }, stream },
            muted: { muted: true }, blocked: { mic: 'denied' },
          };
          const mine = {
            turn: 't', stream: 's', session_id: 'sky', why: 'denied', mine: false, auto: true, text: 'x', review: true };
          const others = { turn: 'u', stream: 'v', session_id: 'adam', why: 'absent', mine: true, auto: false, text: null };
          const faults = [];
          if (MODES.some((mode) => !whole[mode])) faults.push('a mode is not tried');
          for (const [name, some] of Object.entries(whole)) for (const type of EVENTS) {
            const [mode] = name.split(',');
            if (!MOVES[MOVE_OF[type][mode]]) faults.push(`${mode} x ${type}: no move`);
            for (const details of [mine, others]) {
              const { state, effects } = reduce({ ...base, ...some, mode }, { type, at_ms: 9, ...details });
              const bad = !MODES.includes(state.mode)
                || (['arming', 'listening', 'sending'].includes(state.mode) && !state.turn)
                || (['speaking', 'paused'].includes(state.mode) && !state.stream)
                || (state.held && !state.stream)
                || (['idle', 'waiting', 'muted', 'blocked'].includes(state.mode) && state.stream)
                || effects.some((effect) => !known.includes(effect.do));
              if (bad) faults.push(`${name} x ${type} -> ${JSON.stringify([state, effects])}`);
              controls(state);
            }
          }
          return faults;
        }"""
    )
    assert faults == []
