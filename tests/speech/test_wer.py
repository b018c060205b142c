from __future__ import annotations

import pytest

from tests.speech.wer import wer


@pytest.mark.parametrize(
    ("said", "heard", "rate"),
    [
        ("go forward ten meters", "Go forward 10 meters.", 0.0),
        ("port 3460", "port 3,460", 0.0),
        ("cold hearted", "Cold-hearted!", 0.0),
        ("one two three four", "one three four", 0.25),
        ("one two three four", "one two two three four", 0.25),
        ("one two", "", 1.0),
        ("one", "two one two", 2.0),
    ],
)
def test_wer(said: str, heard: str, rate: float) -> None:
    assert wer(said, heard) == rate
