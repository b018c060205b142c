"""The mailbox: what is put there can be read line by line, and is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clawmux.adapters.runtimes.channels import open_channel
from clawmux.adapters.runtimes.records import Program
from clawmux.wire.errors import ClawMuxError

LINE = '[MSG id:msg-1 from:sky to:adam] two\nlines, "quoted" \\ & 世界'


async def test_every_text_is_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mailbox").touch()
    channel = open_channel("mailbox", Program(1, tmp_path, tmp_path, {}))
    assert channel is not None
    await channel.deliver(LINE)
    await channel.deliver("[MSG id:msg-2 from:sky to:adam] \x1b[31mred")
    told = [json.loads(line) for line in (tmp_path / "mailbox").read_text().splitlines()]
    assert told == [LINE, "[MSG id:msg-2 from:sky to:adam] red"]
    assert [await channel.has(id) for id in ("msg-1", "msg-2", "msg-3", "msg")] == [True, True, False, False]


async def test_where_nobody_reads_nothing_is_given(tmp_path: Path) -> None:
    channel = open_channel("mailbox", Program(1, tmp_path, tmp_path, {}))
    assert channel is not None
    assert not await channel.has("msg-1")
    with pytest.raises(ClawMuxError) as refused:
        await channel.deliver(LINE)
    assert refused.value.code == "conflict"
