from __future__ import annotations

import numpy as np
import pytest

from clawmux.adapters.speech import ear
from clawmux.adapters.speech.ear import Ear

FRAME = 512


def feed(listener: Ear, seconds: float, probability: float) -> list[ear.Effect]:
    effects: list[ear.Effect] = []
    for _ in range(round(seconds * 16000 / FRAME)):
        effects += listener.feed(np.full(FRAME, probability, dtype=np.float32), [probability])
    return effects


def names(effects: list[ear.Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects if not isinstance(effect, ear.Glimpse)]


def turn_of(effects: list[ear.Effect]) -> ear.Turn:
    return next(effect for effect in effects if isinstance(effect, ear.Turn))


def test_a_turn_from_silence_to_silence() -> None:
    listener = Ear(True, 1.2)
    assert feed(listener, 5, 0.0) == []
    effects = feed(listener, 1.6, 1.0) + feed(listener, 1.6, 0.0)
    assert names(effects) == ["Began", "Guess", "Stopped", "Turn"]
    turn = turn_of(effects)
    assert turn.audio_ms == pytest.approx(1600, abs=35)
    assert len(turn.samples) / 16000 == pytest.approx(ear.PRE_ROLL_SECONDS + 1.6 + 0.3, abs=0.07)
    assert float(turn.samples[: int(0.4 * 16000)].max()) == 0.0, "the pre-roll"
    guess = next(effect for effect in effects if isinstance(effect, ear.Guess))
    assert guess.until == turn.until
    assert np.array_equal(guess.samples, turn.samples)


def test_a_thinking_pause_drops_the_guess_and_stays_one_turn() -> None:
    listener = Ear(True, 1.2)
    effects = feed(listener, 1, 1.0) + feed(listener, 1.15, 0.0) + feed(listener, 1, 1.0) + feed(listener, 1.5, 0.0)
    assert names(effects) == ["Began", "Guess", "Drop", "Guess", "Stopped", "Turn"]
    assert turn_of(effects).audio_ms == pytest.approx(3150, abs=70)


def test_a_long_stretch_is_settled_at_its_pause() -> None:
    listener = Ear(True, 1.2)
    effects = feed(listener, 16, 1.0) + feed(listener, 0.8, 0.0) + feed(listener, 2, 1.0) + feed(listener, 1.5, 0.0)
    assert names(effects) == ["Began", "Guess", "Settle", "Guess", "Stopped", "Turn"]
    assert len(turn_of(effects).samples) / 16000 < 3.5
    assert turn_of(effects).audio_ms == pytest.approx(18_800, abs=70)


def test_glimpses_come_once_a_second_while_someone_speaks() -> None:
    listener = Ear(True, 1.2)
    effects = feed(listener, 5.2, 1.0)
    assert sum(isinstance(effect, ear.Glimpse) for effect in effects) == 4
    assert not any(isinstance(effect, ear.Glimpse) for effect in feed(listener, 1.0, 0.0)[2:])


def test_manual_ends_only_when_told_and_keeps_everything() -> None:
    listener = Ear(False, 1.2)
    effects = feed(listener, 1, 0.0) + feed(listener, 1, 1.0) + feed(listener, 5, 0.0)
    assert names(effects) == ["Began", "Guess"]
    last = listener.finish()
    assert names(last) == ["Stopped", "Turn"]
    assert len(turn_of(last).samples) == pytest.approx(7 * 16000, abs=2 * FRAME)


@pytest.mark.parametrize("automatic", [True, False])
def test_finish_always_gives_one_turn(automatic: bool) -> None:
    listener = Ear(automatic, 1.2)
    assert names(listener.finish()) == ["Turn"]
    feed(listener, 1, 0.0)
    assert names(listener.finish()) == ["Turn"]


def test_silence_is_forgotten_in_auto_mode() -> None:
    listener = Ear(True, 1.2)
    feed(listener, 60, 0.0)
    assert len(turn_of(listener.finish()).samples) <= 16000


def test_an_endless_turn_is_ended() -> None:
    listener = Ear(True, 1.2)
    effects = feed(listener, ear.TURN_SECONDS + 2, 1.0)
    assert names(effects)[:3] == ["Began", "Stopped", "Turn"]


def test_two_turns_keep_their_own_sound() -> None:
    listener = Ear(True, 0.5)
    first = feed(listener, 1, 0.9) + feed(listener, 2, 0.0)
    second = feed(listener, 1, 1.0) + feed(listener, 2, 0.0)
    assert 0.9 not in np.unique(turn_of(second).samples.round(3))
    assert len(turn_of(first).samples) / 16000 == pytest.approx(1.3, abs=0.07)


def test_into_an_agents_voice_only_lasting_sure_speech_begins_a_turn_and_none_of_it_is_lost() -> None:
    listener = Ear(True, 1.2, interrupts=True)
    assert names(feed(listener, 3, 0.65) + feed(listener, 1, 0.0)) == [], "what is unsure"
    assert names(feed(listener, 0.2, 1.0) + feed(listener, 1, 0.0)) == [], "what is short"
    effects = feed(listener, 1.6, 1.0) + feed(listener, 1.6, 0.0)
    assert names(effects) == ["Began", "Guess", "Stopped", "Turn"]
    turn = turn_of(effects)
    assert turn.audio_ms == pytest.approx(1600, abs=35)
    assert len(turn.samples) / 16000 == pytest.approx(ear.PRE_ROLL_SECONDS + 1.6 + 0.3, abs=0.07)
    assert names(feed(listener, 0.3, 1.0)) == ["Began"]
