"""How often tmux is asked for one message, and which looks at the pane are never left out. Real tmux, a real program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from clawmux.adapters import headers, pasting
from clawmux.adapters.injection import inject
from clawmux.adapters.pasting import Held, Pasting
from clawmux.adapters.screen import InputRules
from clawmux.adapters.tmux import Tmux
from tests.tmux.lossy import RULES, Lossy, start
from tests.waiting import until_answer

ID = "msg-4k0v9x2m1q7z"
LINE = headers.line(ID, "sky", "lossy", "What is the port?")
# A program that takes an Enter at once, and draws its screen in one piece.
QUICK = replace(RULES, settle_ms=0, steady_ms=0)


@dataclass
class Attentive:
    """tmux itself, which writes down what it is asked, and answers after something was typed only when the program has drawn
    it: so no look comes too early, however busy the machine is."""

    tmux: Tmux
    pane_id: str
    asked: list[str] = field(default_factory=list)
    before: Callable[[str], Awaitable[None]] | None = None
    """Does something before tmux is asked this."""
    draws_enters: bool = True
    """Whether the program shows that it has got an Enter."""

    async def command(self, *commands: Sequence[str]) -> list[str]:
        words = [word for command in commands for word in command]
        typed = words[words.index("--") + 1] if "--" in words else ""
        asked = ("Enter" if typed == "\r" else "text") if typed else ("look at the history" if "-S" in words else "look")
        if self.before is not None:
            await self.before(asked)
        self.asked.append(asked)
        screen = await self.tmux.capture(self.pane_id)
        answer = await self.tmux.command(*commands)
        if typed and not answer and (self.draws_enters or asked != "Enter"):
            await until_answer(lambda: self._differs(screen))
        return answer

    async def _differs(self, screen: str) -> bool:
        return await self.tmux.capture(self.pane_id) != screen


# -- how often --


async def test_a_new_message_takes_five_requests_where_no_pause_is_needed(tmux: Tmux, tmp_path: Path) -> None:
    lossy = await start(tmux, tmp_path)
    server = Attentive(tmux, lossy.pane_id)
    assert await inject(server, lossy.pane_id, LINE, QUICK, is_new=True) == {ID}
    assert server.asked == ["look", "text", "look", "Enter", "look"]
    assert lossy.all("received") == [LINE]


async def test_with_pauses_the_box_is_looked_at_after_each(tmux: Tmux, tmp_path: Path) -> None:
    lossy = await start(tmux, tmp_path)
    server = Attentive(tmux, lossy.pane_id)
    assert await inject(server, lossy.pane_id, LINE, RULES, is_new=True) == {ID}
    assert server.asked == [*["look"] * 2, "text", *["look"] * 2, *["look"] * 2, "Enter", *["look"] * 2]


# -- the looks that stay --


@pytest.mark.parametrize(("rules", "look"), [(QUICK, 2), (RULES, 5)])
async def test_what_somebody_adds_before_the_enter_is_not_sent_with_it(
    tmux: Tmux, tmp_path: Path, rules: InputRules, look: int
) -> None:
    """Before the last look that there is before an Enter: without a pause the one that sees the message in the box."""
    lossy = await start(tmux, tmp_path)
    server = Attentive(tmux, lossy.pane_id)

    async def add(asked: str) -> None:
        if asked == "look" and server.asked.count("look") == look - 1:
            await add_words(tmux, lossy)

    server.before = add
    with pytest.raises(Held):
        await inject(server, lossy.pane_id, LINE, rules, is_new=True)
    assert "Enter" not in server.asked and lossy.all("received") == []


async def test_before_every_further_enter_the_box_is_looked_at(
    tmux: Tmux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pasting, "SHOWN_SECONDS", 0.2)
    lossy = await start(tmux, tmp_path, "lossy", "--drop", "1")
    server = Attentive(tmux, lossy.pane_id, draws_enters=False)
    with pytest.raises(Held, match="did not take the Enter"):
        await inject(server, lossy.pane_id, LINE, QUICK, is_new=True)
    enters = [number for number, asked in enumerate(server.asked) if asked == "Enter"]
    # The look at the history is the last search for proof that the Enter before was taken.
    assert [server.asked[at - 2 : at] for at in enters[1:]] == [["look at the history", "look"]] * 2
    assert lossy.all("dropped") == [1] * 3


@pytest.mark.parametrize("is_draft", [False, True])
async def test_what_is_not_new_is_searched_for_in_what_has_scrolled_off(tmux: Tmux, tmp_path: Path, is_draft: bool) -> None:
    """A draft may be a message that an Escape has put back: then that is searched for, too."""
    lossy = await start(tmux, tmp_path, "lossy", *(["--draft=half a thought"] if is_draft else []))
    server = Attentive(tmux, lossy.pane_id)
    await inject(server, lossy.pane_id, LINE, QUICK, is_new=is_draft)
    assert "look at the history" in server.asked


async def test_a_message_that_has_scrolled_off_is_not_typed_again(tmux: Tmux, tmp_path: Path) -> None:
    lossy = await start(tmux, tmp_path)
    others = [headers.line(f"msg-{n}", "sky", "lossy", "a line\n" * 15) for n in range(5)]
    for line in [LINE, *others]:
        await tmux.inject(lossy.pane_id, line, RULES, is_new=True)
    assert ID not in await tmux.capture(lossy.pane_id)
    assert await tmux.inject(lossy.pane_id, LINE, RULES) == {ID}
    assert lossy.all("received").count(LINE) == 1


async def add_words(tmux: Tmux, lossy: Lossy) -> None:
    """Somebody types on in the box."""
    await Pasting(tmux, lossy.pane_id, QUICK).paste(" and my own words", "-p", "-r")

    async def is_shown() -> bool:
        return "my own words" in await tmux.capture(lossy.pane_id)

    await until_answer(is_shown)
