from __future__ import annotations

import pytest

from clawmux.adapters.speech.reading import read_aloud

LINES = [
    ("src/clawmux/app.py:42", "clawmux slash app dot py, line 42"),
    ("/etc/hosts and ~/x", "etc slash hosts and x"),
    ("./run.sh", "run dot sh"),
    ("a/b/c/d.txt.", "c slash d dot txt."),
    (r"C:\Users\me\notes.md", "me slash notes dot md"),
    ("README.md, .gitignore", "README dot md, dot gitignore"),
    ("and/or, I/O, client/server", "and or, I O, client server"),
    ("feature/foo-bar", "feature slash foo bar"),
    ("v2.0 and V3", "version 2.0 and version 3"),
    ("Python 3.12.1", "Python 3 point 12 point 1"),
    ("127.0.0.1", "127 dot 0 dot 0 dot 1"),
    ("3.14 and 1,234", "3.14 and 1,234"),
    ("1_000_000", "1000000"),
    ("10ms, 1 s, 2.5 GB, 16 kHz", "10 milliseconds, 1 second, 2.5 gigabytes, 16 kilohertz"),
    ("100MB/s and 60 km/h", "100 megabytes per second and 60 kilometers per hour"),
    ("2x faster, 10k users", "2 times faster, 10 thousand users"),
    ("20 °C", "20 degrees Celsius"),
    ("$5.20, $1, $5.00, $3M, €7", "5 dollars 20, 1 dollar, 5 dollars, 3 million dollars, 7 euros"),
    ("50%", "50%"),
    ("3-5 files, 2019–2024, 555-1234", "3 to 5 files, 2019 to 2024, 555-1234"),
    ("24/7", "24 7"),
    ("12/12 tests", "12 of 12 tests"),
    ("2024-01-15", "January 15, 2024"),
    ("2024-13-45", "2024-13-45"),
    ("at 10:30, 9:05, 8:00", "at 10 30, 9 oh 5, 8 o'clock"),
    ("commit a1b2c3d4e5f6", "commit a 1 b 2"),
    ("550e8400-e29b-41d4-a716-446655440000", "an id"),
    ("defaced facade", "defaced facade"),
    ("#12 and C#", "number 12 and C sharp"),
    ("a -> b => c", "a to b to c"),
    ("x != y, x >= 2, x <= 3", "x is not y, x at least 2, x at most 3"),
    ("< 5 and ~5", "less than 5 and about 5"),
    ("x = 1, a == b", "x equals 1, a equals b"),
    ("--help and -v", "dash dash help and dash v"),
    ("$HOME and ${USER}", "HOME and USER"),
    ("yes - no", "yes, no"),
    ("well-known", "well-known"),
    ("a && b || c", "a and b or c"),
]


@pytest.mark.parametrize(("line", "said"), LINES)
def test_read_aloud(line: str, said: str) -> None:
    assert read_aloud(line) == said
