from __future__ import annotations

import time

import pytest

from clawmux.adapters.speech.sentences import split_pieces
from clawmux.adapters.speech.text import spoken

ENGLISH = [
    ("**Done!** It *works* ~~now~~.", "Done! It works now."),
    ("***Both*** and __strong__ words", "Both and strong words."),
    ("2 * 3 * 4 is 24", "2 times 3 times 4 is 24."),
    ("use __init__ and snake_case_name", "use init and snake case name."),
    ("# Title\nText", "Title.\nText."),
    ("## Title ##", "Title."),
    ("one line\nsame paragraph\n\nanother", "one line same paragraph.\nanother."),
    ("- one\n- two\n  - three", "one.\ntwo.\nthree."),
    ("1. first\n2) second", "1: first.\n2: second."),
    ("- [ ] open\n- [x] closed", "To do: open.\nDone: closed."),
    ("> quoted\n> text", "quoted text."),
    ("> [!WARNING]\n> Careful", "Warning: Careful."),
    ("above\n\n---\n\nbelow", "above.\nbelow."),
    ("see [the docs](https://x.io/a(b)c) now", "see the docs now."),
    ("see [the docs][1]\n\n[1]: https://x.io", "see the docs."),
    ("![a cat](cat.png)", "image: a cat."),
    ("a note[^1]", "a note."),
    ("<https://example.com/a>", "a link to example dot com."),
    ("Look at https://docs.python.org/3/library/re.html.", "Look at a link to docs dot python dot org."),
    ("Open http://localhost:3460/#k=abc", "Open a link to localhost port 3460."),
    ("mail me at foo.bar@example.com", "mail me at foo dot bar at example dot com."),
    ("```python\na = 1\nb = 2\n```\nThat is it.", "2 lines of code are on the page.\nThat is it."),
    ("```\n$ clawmux start --port 3460\n```", "clawmux start dash dash port 3460."),
    ("~~~\nx\n\ny\n~~~", "2 lines of code are on the page."),
    ("```python\nnever closed\nat all", "2 lines of code are on the page."),
    ('run `git commit -m "x"` first', "run git commit dash m x first."),
    ("call `load_models()` again", "call load models again."),
    ("``a `tick` inside``", "a tick inside."),
    ("| name | ok |\n|---|---|\n| a | ✅ |\n| b | ❌ |", "name: a, ok: yes. name: b, ok: no."),
    ("|a|b|\n|-|-|\n" + "|1|2|\n" * 5, "A table of a, b with 5 rows is on the page."),
    ("| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 5, "A table of a, b with 5 rows is on the page."),
    ("🎉 Great! 🚀", "Great!"),
    ("👩‍💻 works", "works."),
    ("🎉", ""),
    ("", ""),
    ("   \n\n\t", ""),
    ("---", ""),
    ("\x1b[31mred\x1b[0m text", "red text."),
    ("a\x00b\x07c", "abc."),
    ("&lt;b&gt; &amp; more", "b and more."),
    ("bold <b>tag</b> and <br/>", "bold tag and."),
    ("\\*not emphasis\\*", "not emphasis."),
    ("Really?", "Really?"),
    ("Wait:", "Wait:"),
    ("He said “yes.”", "He said “yes.”"),
    ("windows\r\nline ends\r\n\r\nhere", "windows line ends.\nhere."),
]


@pytest.mark.parametrize(("written", "said"), ENGLISH)
def test_spoken(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("es", "mira `app.py`", "mira app punto py."),
        ("fr", "```\na\nb\n```", "2 lignes de code sont sur la page."),
        ("pt-BR", "5 GB em src/app.py", "5 GB em src barra app ponto py."),
        ("zh", "看 https://example.com 吧", "看 链接 example 点 com 吧."),
        ("xx", "see app.py", "see app dot py."),
    ],
)
def test_other_languages_use_their_words_and_leave_numbers(language: str, written: str, said: str) -> None:
    assert spoken(written, language) == said


@pytest.mark.parametrize(
    "nasty",
    ["*" * 30_000, "`" * 30_000, "[" * 30_000, "a/" * 15_000, "a." * 15_000, "<" * 30_000, "_a" * 15_000, "1." * 15_000,
     "| - " * 7_500, "a" * 30_000, "a@" * 15_000, "-" * 30_000, "![" * 15_000, "**a" * 10_000, "> " * 15_000, "1-" * 15_000,
     "\x1b]" * 15_000, "https://" * 4_000, "\n>" * 15_000, "` " * 15_000, "|\n" + " " * 30_000 + "x", "<!--" * 7_500,
     "__a " * 7_500, "a" + "." * 30_000 + "b", "x" + "\u2026" * 30_000 + "x", "<a> " * 7_500],
)  # fmt: skip
def test_no_text_takes_long(nasty: str) -> None:
    """The hub does this while it serves everybody."""
    started = time.process_time()
    split_pieces(spoken(nasty))
    assert time.process_time() - started < 3
