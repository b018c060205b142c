from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clawmux.adapters.speech.client import SpeechClient
from clawmux.wire.errors import ClawMuxError
from tests.speech.conftest import Service


def test_importing_it_loads_no_engine_and_no_numpy() -> None:
    code = (
        "import sys, clawmux.adapters.speech.client; engines = {'numpy', 'onnxruntime', 'ctranslate2', 'faster_whisper',"
        " 'kokoro_onnx', 'av'}; assert not engines & set(sys.modules), engines & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


async def test_no_service_is_speech_down_everywhere(tmp_path: Path) -> None:
    async with SpeechClient(tmp_path / "nobody") as client:
        calls = [client.health(), client.transcribe(b"x", "audio/wav"), anext(client.synthesize("x", "af_sky"))]
        for call in [*calls, client.listen().__aenter__()]:
            with pytest.raises(ClawMuxError) as raised:
                await call
            assert raised.value.code == "speech_down"


async def test_pcm_comes_in_whole_samples(service: Service) -> None:
    async for chunk in service.client.synthesize("A sentence. " * 30, "af_sky"):
        assert len(chunk) % 2 == 0


async def test_errors_of_the_service_keep_their_code(service: Service) -> None:
    with pytest.raises(ClawMuxError) as raised:
        await anext(service.client.synthesize("x", "nobody"))
    assert raised.value.code == "not_found"
    with pytest.raises(ClawMuxError) as raised:
        await service.client.transcribe(b"not sound", "audio/wav")
    assert raised.value.code == "unsupported"
