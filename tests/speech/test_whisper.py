from __future__ import annotations

import pytest

from clawmux.adapters.speech.whisper import is_speech


@pytest.mark.parametrize(
    ("text", "no_speech", "log_probability", "ratio", "said"),
    [
        ("Go forward ten meters.", 0.05, -0.3, 1.0, True),
        ("Thank you.", 0.05, -0.2, 0.6, True),
        ("Thank you.", 0.7, -0.5, 0.6, False),
        ("Thanks for watching!", 0.2, -1.0, 0.8, False),
        ("you", 0.5, -0.3, 0.3, False),
        ("[BLANK_AUDIO]", 0.0, -0.1, 0.6, False),
        ("(wind blowing)", 0.0, -0.1, 0.6, False),
        ("♪", 0.0, -0.1, 0.6, False),
        ("...", 0.0, -0.1, 0.6, False),
        ("no no no no no no no no no no no no", 0.1, -0.1, 5.0, False),
        ("Mumbled words", 0.7, -1.2, 1.0, False),
        ("Mumbled words", 0.3, -1.2, 1.0, True),
        ("Mumbled words", 0.1, -1.7, 1.0, False),
    ],
)
def test_is_speech(text: str, no_speech: float, log_probability: float, ratio: float, said: bool) -> None:
    assert is_speech(text, no_speech, log_probability, ratio) is said
