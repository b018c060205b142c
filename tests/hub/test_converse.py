"""Converse through a real hub, the real client and a page without a browser; speech is a stand-in."""

from __future__ import annotations

import contextlib
import re
import signal

import pytest

from clawmux.wire.errors import ClawMuxError
from tests.live_hub import LiveHub, said
from tests.stand_ins.page import StandInPage
from tests.stand_ins.speech_service import WORDS, tone

LOUD = b"\x00\x40" * 8000 + bytes(64000)
SILENT = bytes(32000)


def page_on(hub: LiveHub, answer: bytes | None = LOUD) -> StandInPage:
    return StandInPage(hub.url, hub.token, lambda session_id: answer)


async def test_the_words_go_to_stdout_and_nothing_else(hub: LiveHub) -> None:
    async with page_on(hub) as page:
        sky = await hub.spawn()
        told = await hub.run(sky, "converse", "What next?")
        assert (told.code, told.out, told.err) == (0, f"{WORDS}\n", "")
        await page.until(lambda: page.texts("user_text") == [WORDS])
        assert page.texts("assistant_text") == ["What next?"]


async def test_no_listen_returns_when_it_was_heard(hub: LiveHub) -> None:
    async with page_on(hub) as page:
        told = await hub.run(await hub.spawn(), "converse", "Done with that.", "--no-listen")
        assert (told.code, told.out) == (0, "")
        assert len(page.done) == 1


async def test_without_a_page_the_answer_names_the_url(hub: LiveHub) -> None:
    told = await hub.run(await hub.spawn(), "converse", "Anybody there?")
    assert told.code == 4 and told.out == ""
    assert f"http://clawmux.localhost:{hub.port}" in told.err


async def test_nothing_heard_has_its_own_code(hub: LiveHub) -> None:
    async with page_on(hub, SILENT):
        told = await hub.run(await hub.spawn(), "converse", "Hm?", "--timeout", "3")
        assert (told.code, told.out) == (5, "")


async def test_a_muted_page_is_told_apart(hub: LiveHub) -> None:
    async with page_on(hub) as page:
        await page.say({"type": "prefs", "muted": True, "auto": True})
        told = await hub.run(await hub.spawn(), "converse", "Hello?")
        assert (told.code, told.out) == (6, "") and "muted" in told.err


async def test_a_dismissed_question_is_cancelled(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "Shall I?")
        await page.until(lambda: page.moment("listening"))
        await page.say({"type": "cancel", "session_id": sky})
        assert (await said(asking)).code == 7


async def test_ctrl_c_frees_the_floor_for_the_next_agent(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky, adam = await hub.spawn(), await hub.spawn()
        first = await hub.client(sky, "converse", "First?")
        await page.until(lambda: page.moment("listening", session_id=sky))
        second = await hub.client(adam, "converse", "Second.", "--no-listen")
        await page.until(lambda: "Second." in page.texts("assistant_text"))
        first.send_signal(signal.SIGINT)
        assert (await said(first)).code == 130
        assert (await said(second)).code == 0


async def test_typed_words_answer_the_question(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "Which one?")
        await page.until(lambda: page.moment("listening"))
        await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "the second"})
        assert (await said(asking)).out == "the second\n"
        await page.until(lambda: page.moment("text_ack", id="x1", state="answered"))


async def test_words_to_be_reviewed_answer_when_they_are_sent(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        page.review = True
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "Which one?")
        await page.until(lambda: page.moment("listening"))
        turn = await page.talk(sky, LOUD, "auto")
        done = await page.until(lambda: page.moment("turn_done", turn=turn))
        assert (done["text"], done["review"]) == (WORDS, True)
        assert page.texts("user_text") == []
        await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "the second"})
        assert (await said(asking)).out == "the second\n"


LONG = "This goes on for quite a while. " * 12


async def test_talking_into_the_speech_answers_and_interrupts_it(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token, speed=1.0) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", LONG)
        start = await page.until(lambda: page.moment("speech_start"))
        turn = await page.talk(sky, LOUD, "overheard")
        await page.until(lambda: page.moment("vad", turn=turn, speaking=True))
        assert page.moment("speech_cancel") is None, "not for a sound alone"
        told = await said(asking)
        words, note = told.out.splitlines()
        assert (told.code, words) == (0, WORDS)
        assert re.fullmatch(r"\(The user interrupted you after \d\.\d s of \d+\.\d s(, at: “… .*”)?\)", note), note
        await page.until(lambda: page.moment("speech_cancel", stream=start["stream"], why="interrupted"))
        await page.until(lambda: page.moment("turn_done", turn=turn, text=WORDS))


async def test_an_agents_own_words_are_no_answer(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token, speed=1.0) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", f"{WORDS} " * 40, "--no-listen")
        await page.until(lambda: page.moment("speech_marks"))
        turn = await page.talk(sky, LOUD, "overheard")
        done = await page.until(lambda: page.moment("turn_done", turn=turn))
        assert (done["text"], done["reason"]) == (None, "echo")
        assert (await hub.call("GET", "/api/debug"))["timings"] == [], "nor are they a turn that the agent answers"
        assert page.texts("user_text") == []
        assert page.moment("speech_cancel") is None
        with contextlib.suppress(ProcessLookupError):  # it may have ended
            asking.kill()
        await asking.wait()


async def test_silence_beside_the_speech_interrupts_nothing(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token, speed=4.0) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", LONG[:128], "--no-listen")
        await page.until(lambda: page.moment("speech_start"))
        turn = await page.talk(sky, SILENT, "overheard")
        assert (await said(asking)).code == 0
        await page.say({"type": "mic_close", "turn": turn, "why": "discard"})
        await page.until(lambda: page.moment("turn_done", turn=turn, text=None))
        assert page.moment("speech_cancel") is None
        assert len(page.done) == 1


async def test_the_same_typed_text_twice_answers_once(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "Which one?")
        await page.until(lambda: page.moment("listening"))
        for _ in range(2):
            await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "the second"})
        assert (await said(asking)).out == "the second\n"
        await page.until(lambda: len([m for m in page.moments if m["type"] == "text_ack"]) == 2)
        assert page.texts("user_text") == ["the second"]


async def test_words_without_a_question_are_refused_by_an_agent_that_takes_none(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky = await hub.spawn()
        await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "hello"})
        refused = await page.until(lambda: page.moment("text_ack", id="x1"))
        assert refused["state"] == "refused" and "asks" in refused["reason"]


@pytest.mark.parametrize("fault", ["too long", "nobody there"])
async def test_words_that_nobody_can_take_are_refused_by_their_id(hub: LiveHub, fault: str) -> None:
    async with page_on(hub, None) as page:
        sky = await hub.spawn()
        to, text = (sky, "x" * 70_000) if fault == "too long" else ("no-such-agent", "hello")
        await page.say({"type": "text", "id": "x1", "session_id": to, "text": text})
        refused = await page.until(lambda: page.moment("text_ack", id="x1"))
        assert refused["state"] == "refused" and refused["reason"]


async def test_three_agents_at_once_never_overlap_and_keep_their_order(hub: LiveHub) -> None:
    async with page_on(hub) as page:
        sessions = [await hub.spawn() for _ in range(3)]
        asking = []
        for session in sessions:
            asking.append(await hub.client(session, "converse", f"I am {session}."))
            await page.until(lambda session=session: f"I am {session}." in page.texts("assistant_text"))  # type: ignore[misc]
        for process in asking:
            assert (await said(process)).out == f"{WORDS}\n"
        spoken = [m for m in page.moments if m["type"] in ("speech_start", "speech_end")]
        assert [m["type"] for m in spoken] == ["speech_start", "speech_end"] * 3, "one stream at a time"
        starts = [m for m in spoken if m["type"] == "speech_start"]
        assert [m["session_id"] for m in starts] == sessions
        for start, voice in zip(starts, ("af_sky", "af_alloy", "af_sarah"), strict=True):
            assert page.heard[start["stream"]][:4800] == tone(voice, 0, 2400), "each in its own voice"


async def test_two_pages_one_plays_and_the_other_knows_where(hub: LiveHub) -> None:
    async with page_on(hub) as first, page_on(hub) as second:
        told = await hub.run(await hub.spawn(), "converse", "Who plays?")
        assert told.out == f"{WORDS}\n"
        await second.until(lambda: second.texts("user_text"))
        assert first.heard and not second.heard
        owner = second.moment("audio_owner")
        assert owner and owner["client"] == first.client
        await second.say({"type": "audio_owner", "claim": True})
        await first.until(lambda: first.moment("audio_owner", client=second.client))
        await hub.run("af_sky", "converse", "And now?", "--no-listen")
        assert len(second.heard) == 1 and len(first.heard) == 1


async def test_the_network_cut_in_mid_sentence_loses_and_doubles_nothing(hub: LiveHub) -> None:
    async with page_on(hub) as page:
        page.speed = 2.0
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "This is a rather long sentence, so that it can be cut. " * 3)
        stream = await page.until(lambda: next(iter(page.heard), None))
        await page.until(lambda: len(page.heard[stream]) > 48000)
        await page.cut()
        page.speed = 50.0
        assert (await said(asking)).out == f"{WORDS}\n"
        assert len(page.heard) == 1 and len(page.heard[stream]) == 2 * page._ends[stream]
        numbers = [event["n"] for event in page.events]
        assert numbers == sorted(set(numbers))


async def test_a_page_reloaded_in_mid_sentence_goes_on_where_the_user_was(hub: LiveHub) -> None:
    sky = await hub.spawn()
    async with page_on(hub) as page:
        page.speed = 2.0
        asking = await hub.client(sky, "converse", "This is a rather long sentence, so that it can be cut. " * 3)
        stream = await page.until(lambda: next(iter(page.heard), None))
        await page.until(lambda: len(page.heard[stream]) > 96000)
    async with page_on(hub) as reloaded:
        assert (await said(asking)).out == f"{WORDS}\n"
        start = reloaded.moment("speech_start")
        assert start and start["offset"] > 24000, "not from the beginning"


async def test_a_page_that_missed_events_gets_exactly_those(hub: LiveHub) -> None:
    sky = await hub.spawn()
    async with page_on(hub) as page:
        await hub.run(sky, "converse", "One.", "--no-listen")
        last = page.last
    async with page_on(hub) as other:
        await hub.run(sky, "converse", "Two.", "--no-listen")
        assert other.texts("assistant_text") == ["Two."]
    back = page_on(hub)
    back.last = last
    async with back:
        await back.until(lambda: back.texts("assistant_text") == ["Two."])
    history = await hub.call("GET", f"/api/history?session_id={sky}")
    assert [e["text"] for e in history["entries"] if e["type"] == "assistant_text"] == ["One.", "Two."]


async def test_a_command_that_is_killed_is_forgotten_and_the_floor_passes_on(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky, adam = await hub.spawn(), await hub.spawn()
        first = await hub.client(sky, "converse", "First?")
        await page.until(lambda: page.moment("listening", session_id=sky))
        first.kill()
        await first.wait()
        assert (await hub.run(adam, "converse", "Second.", "--no-listen", seconds=30)).code == 0


async def test_a_runtime_with_a_limit_comes_back_for_its_answer(hub: LiveHub) -> None:
    manifest = (hub.paths.user_runtimes / "quiet.toml").read_text()
    (hub.paths.user_runtimes / "short.toml").write_text("converse_limit_seconds = 1.0\n" + manifest)
    async with page_on(hub, None) as page:
        sky = await hub.spawn("short")
        told = await hub.run(sky, "converse", "Take your time.")
        assert told.code == 9 and told.out == ""
        command = told.err.split("clawmux converse ")[-1].split()
        await page.until(lambda: page.moment("listening"))
        await page.talk(sky, LOUD)
        await page.until(lambda: page.texts("user_text") == [WORDS])
        assert (await hub.run(sky, "converse", *command)).out == f"{WORDS}\n"


async def test_a_restart_of_the_hub_asks_once_and_answers_once(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "Still there?")
        await page.until(lambda: page.moment("listening"))
        await hub.kill()
        await hub.start()
        await page.until(
            lambda: page.breaks and page.moments[-1] and len([m for m in page.moments if m["type"] == "listening"]) == 2
        )
        await page.talk(sky, LOUD)
        assert (await said(asking)).out == f"{WORDS}\n"
        assert page.texts("assistant_text") == ["Still there?"] and len(page.heard) == 1


async def test_stop_leaves_the_agent_alive_and_start_finds_it(hub: LiveHub) -> None:
    sky = await hub.spawn()
    (before,) = await hub.call("GET", "/api/sessions")
    await hub.stop()
    await hub.start()
    (after,) = await hub.call("GET", "/api/sessions")
    assert after["id"] == sky and after["created"] == before["created"]


@pytest.mark.parametrize("order", [{"voice": "nobody"}, {"runtime": "nothing"}, {"dir": "/does/not/exist"}, {"name": "Not OK"}])
async def test_an_order_that_cannot_be_met_names_its_field(hub: LiveHub, order: dict[str, str]) -> None:
    with pytest.raises(ClawMuxError) as refused:
        await hub.call("POST", "/api/sessions", {"runtime": "quiet", **order})
    assert next(iter(order)) in refused.value.text
    assert await hub.call("GET", "/api/sessions") == []


async def test_an_agent_that_ends_is_dead_and_its_question_cancelled(hub: LiveHub) -> None:
    async with page_on(hub, None) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "Shall I?")
        await page.until(lambda: page.moment("listening"))
        await hub.call("DELETE", f"/api/sessions/{sky}")
        assert (await said(asking)).code == 7
        await page.until(lambda: any(e["type"] == "session_terminated" for e in page.events))
