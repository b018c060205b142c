"""A download that fails in a way nobody thought of."""

from __future__ import annotations

from pathlib import Path

from clawmux.hub.model_download import ModelDownload
from clawmux.wire.errors import ClawMuxError
from tests.waiting import until


class BrokenDownload(ModelDownload):
    tries = 0

    def _pull(self, model_set: str, mirror: str, loop: object) -> None:
        self.tries += 1
        raise OSError(5, "Input/output error")


async def test_an_unknown_failure_is_told_once_and_not_tried_again_at_once(tmp_path: Path) -> None:
    told: list[ClawMuxError] = []
    download = BrokenDownload(tmp_path, lambda progress: None, told.append)
    download.start("tiny", "")
    await until(lambda: told)
    await download.stop()
    download.start("tiny", "")
    await download.stop()
    assert download.tries == len(told) == 1
