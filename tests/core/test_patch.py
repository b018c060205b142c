"""What git prints, made into values."""

from __future__ import annotations

from clawmux.core.patch import LINE_CHARACTERS, LINES_MOST, Change, ChangedFile, Line, files, lines

HEAD = "diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n"


def test_rows_and_counts_are_joined() -> None:
    row = b":100644 100644 1111111 0000000 "
    raw = row + b"M\0a b.txt\0" + row + b"R096\0old\0new\0" + row + b"A\0bin\0" + row + b"U\0both\0" + row + b"M\0both\0"
    counts = b"3\t1\ta b.txt\0" + b"1\t0\t\0old\0new\0" + b"-\t-\tbin\0"
    assert files(raw + counts) == [
        ChangedFile(b"a b.txt", Change.MODIFIED, added=3, removed=1),
        ChangedFile(b"new", Change.RENAMED, before=b"old", added=1, removed=0),
        ChangedFile(b"bin", Change.ADDED),
        ChangedFile(b"both", Change.CONFLICTED),
    ]


def test_what_is_cut_or_strange_breaks_nothing() -> None:
    assert files(b"") == []
    assert files(b":100644 100644 1 2 M\0") == [ChangedFile(b"", Change.MODIFIED)]
    assert files(b":100644 100644 1 2 X\0a\0" + b"no counts\0") == [ChangedFile(b"a", Change.MODIFIED)]
    assert lines("") == ([], False)
    assert lines("Binary files a/x and b/x differ\n") == ([], False)


def test_lines_have_their_numbers() -> None:
    patch = HEAD + "@@ -1,2 +1,2 @@ def f():\n kept\n-old\n+new\n\\ No newline at end of file\n@@ -10 +10,2 @@\n ten\n+--- a/a\n"
    assert lines(patch) == (
        [
            Line("@", 1, 1, "def f():"),
            Line(" ", 1, 1, "kept"),
            Line("-", 2, 0, "old"),
            Line("+", 0, 2, "new"),
            Line("\\", 0, 0, "No newline at end of file"),
            Line("@", 10, 10, ""),
            Line(" ", 10, 10, "ten"),
            Line("+", 0, 11, "--- a/a"),
        ],
        False,
    )


def test_many_and_long_lines_are_cut() -> None:
    found, is_cut = lines(HEAD + "@@ -0,0 +1,9999 @@\n" + "+x\n" * 9999)
    assert (len(found), is_cut) == (LINES_MOST, True)
    (_, line), _ = lines(HEAD + "@@ -0,0 +1 @@\n+" + "x" * 1_000_000)
    assert len(line.text) == LINE_CHARACTERS + 1
