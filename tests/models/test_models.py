"""The model store with a small catalogue, a real server, real child processes; and once with the real tiny set."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clawmux.adapters import models as store_module
from clawmux.adapters.models import RESERVE_BYTES, Broken, ModelStore, Progress
from clawmux.catalog import MODELS
from clawmux.wire.errors import ClawMuxError
from tests.stand_ins import small_models
from tests.stand_ins.file_host import FileHost
from tests.stand_ins.small_models import CONTENTS, SETS
from tests.waiting import until

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 20.0


@pytest.fixture
def store(host: FileHost, tmp_path: Path) -> ModelStore:
    small_models.serve(host)
    return small_store(host, tmp_path / "models")


def small_store(host: FileHost, root: Path, free: int = 1 << 40) -> ModelStore:
    return ModelStore(root, models=small_models.models(host.url("")), sets=SETS, environ={}, free_bytes=lambda _: free)


def sha(label: str) -> str:
    return hashlib.sha256(CONTENTS[label]).hexdigest()


def contents(store: ModelStore, name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store.root / "ready" / name).iterdir()}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != ".lock")


def test_pull_makes_ready(store: ModelStore) -> None:
    told: list[Progress] = []
    assert store.missing("both") == ["ear", "mouth"]
    assert store.path("ear") is None
    store.pull("both", progress=told.append)
    assert store.missing("both") == []
    assert store.path("ear") == store.root / "ready" / "ear", "several files: the folder"
    assert store.path("mouth") == store.root / "ready" / "mouth" / "mouth.onnx", "one file: the file"
    assert contents(store, "ear") == {"model.bin": CONTENTS["ear/model.bin"], "config.json": CONTENTS["ear/config.json"]}
    total = sum(len(CONTENTS[label]) for label in ("ear/model.bin", "ear/config.json", "mouth/mouth.onnx"))
    assert told[-1] == Progress("done", "", total, total)
    fetching = [progress for progress in told if progress.stage == "fetching"]
    assert {progress.total_bytes for progress in fetching} == {total}
    assert [progress.done_bytes for progress in fetching] == sorted(progress.done_bytes for progress in fetching)


def test_layout(store: ModelStore) -> None:
    store.pull("ear")
    assert files_below(store.root) == sorted(
        [f"blobs/{sha('ear/model.bin')}", f"blobs/{sha('ear/config.json')}", "ready/ear/config.json", "ready/ear/model.bin"]
    )
    assert (store.root / "ready/ear/model.bin").samefile(store.root / "blobs" / sha("ear/model.bin")), "hard link"


def test_second_pull_fetches_nothing(store: ModelStore, host: FileHost) -> None:
    store.pull("both")
    host.seen.clear()
    store.pull("both")
    assert host.seen == []


def test_content_shared_by_models_is_fetched_once(store: ModelStore, host: FileHost) -> None:
    store.pull("ear", "twin")
    assert [seen.path for seen in host.seen if "config" in seen.path] == ["/official/ear/config.json"]
    assert contents(store, "twin")["config.json"] == CONTENTS["twin/config.json"]


def test_path_is_cheap(store: ModelStore) -> None:
    store.pull("ear")
    tries = []
    for _ in range(50):
        began = time.perf_counter()
        store.path("ear")
        tries.append(time.perf_counter() - began)
    assert min(tries) < 0.001


def test_file_of_another_size_is_not_ready(store: ModelStore) -> None:
    store.pull("both")
    os.truncate(store.root / "ready/mouth/mouth.onnx", 100)
    assert store.path("mouth") is None
    assert store.missing("both") == ["mouth"]


def test_copies_where_links_are_not_possible(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    store.pull("ear")
    assert contents(store, "ear")["model.bin"] == CONTENTS["ear/model.bin"]
    flip(store.root / "ready/ear/model.bin")
    assert [broken.file for broken in store.verify()] == ["model.bin"]
    assert store.missing("ear") == ["ear"]
    store.pull("ear")
    assert store.verify() == []


def test_flipped_byte_is_named_set_aside_and_fetched_again(store: ModelStore, host: FileHost) -> None:
    store.pull("both")
    blob, ready = store.root / "blobs" / sha("ear/model.bin"), store.root / "ready/ear/model.bin"
    flip(ready)
    told: list[Progress] = []
    assert store.verify(progress=told.append) == [Broken("ear", "model.bin", ready)]
    assert [progress.text for progress in told if progress.stage == "notice"] == [
        f"{ready} is broken; it is now model.bin.corrupt."
    ]
    assert not blob.exists()
    assert blob.with_name(blob.name + ".corrupt").exists()
    assert store.missing("both") == ["ear"]
    host.seen.clear()
    store.pull("both")
    assert [seen.path for seen in host.seen] == ["/official/ear/model.bin"]
    assert store.missing("both") == []
    assert store.verify() == []


def test_flipped_byte_is_named_by_a_look_that_changes_nothing(store: ModelStore) -> None:
    store.pull("both")
    ready = store.root / "ready/ear/model.bin"
    (store.root / ".lock").unlink()
    flip(ready)
    before = sorted(store.root.rglob("*"))
    assert store.examine("ear", "mouth") == [Broken("ear", "model.bin", ready)]
    assert store.examine("mouth") == []
    assert sorted(store.root.rglob("*")) == before


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(b"")])
def test_pull_alone_mends_what_is_broken(store: ModelStore, damage: Callable[[Path], None]) -> None:
    store.pull("both")
    damage(store.root / "ready/mouth/mouth.onnx")
    store.pull("both")
    assert contents(store, "mouth") == {"mouth.onnx": CONTENTS["mouth/mouth.onnx"]}


def test_deleted_file_is_not_ready_and_comes_back_from_the_blobs(store: ModelStore, host: FileHost) -> None:
    store.pull("ear")
    (store.root / "ready/ear/config.json").unlink()
    assert store.path("ear") is None
    host.seen.clear()
    store.pull("ear")
    assert store.path("ear")
    assert host.seen == []


def test_remove_keeps_what_others_need(store: ModelStore) -> None:
    store.pull("ear", "twin")
    assert store.remove("ear") == len(CONTENTS["ear/model.bin"])
    assert store.missing("ear") == ["ear"]
    assert store.path("twin")
    assert store.remove("twin") == len(CONTENTS["twin/model.bin"]) + len(CONTENTS["twin/config.json"])
    assert files_below(store.root) == []
    assert store.remove("twin") == 0


def test_unknown_name_lists_what_there_is(store: ModelStore) -> None:
    for call in (store.path, store.missing, store.pull, store.remove, store.verify):
        with pytest.raises(ClawMuxError) as caught:
            call("nose")
        assert caught.value.code == "not_found"
        assert "'nose'" in caught.value.text
        assert caught.value.remedy == "There are models: ear, mouth, twin; sets: both."
    assert not store.root.exists()


def test_too_little_space_is_said_before_anything_is_written(host: FileHost, tmp_path: Path) -> None:
    small_models.serve(host)
    free = sum(len(CONTENTS[label]) for label in CONTENTS if not label.startswith("twin")) + RESERVE_BYTES - 1
    store = small_store(host, tmp_path / "models", free)
    with pytest.raises(ClawMuxError) as caught:
        store.pull("both")
    assert caught.value.code == "disk_full"
    assert "has 54 MB free and 54 MB are needed (2 MB of models" in caught.value.text
    assert files_below(store.root) == []
    assert host.seen == []
    small_store(host, tmp_path / "models", free + 1).pull("both")
    small_store(host, tmp_path / "models", 0).pull("both")


def test_disk_that_becomes_full_on_the_way(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "move_into_place", full)
    with pytest.raises(ClawMuxError) as caught:
        store.pull("both")
    assert caught.value.code == "disk_full"


def test_folder_that_cannot_be_written(host: FileHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "file", tmp_path / "file" / "models"):
        with pytest.raises(ClawMuxError) as caught:
            small_store(host, root).pull("both")
        assert caught.value.code == "unsafe_files"
        assert str(tmp_path / "file") in caught.value.text
        assert "CLAWMUX_MODELS" in caught.value.remedy


def test_wrong_content_leaves_nothing(store: ModelStore, host: FileHost) -> None:
    page = host.pages["/official/ear/model.bin"]
    page.content = page.content[::-1]
    with pytest.raises(ClawMuxError) as caught:
        store.pull("ear")
    assert caught.value.code == "download_failed"
    assert f"no source gave model.bin: {host.name}: wrong content" in caught.value.text
    assert files_below(store.root) == []
    assert store.path("ear") is None


def test_progress_that_raises_ends_the_pull_and_the_next_goes_on(store: ModelStore, host: FileHost) -> None:
    def stop(progress: Progress) -> None:
        if progress.done_bytes > 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull("ear", progress=stop)
    kept = store.part(small_models.models("")["ear"].files[0]).stat().st_size
    assert kept > 500_000
    store.pull("ear")
    assert f"bytes={kept}-" in host.ranges_of("/official/ear/model.bin")
    assert contents(store, "ear")["model.bin"] == CONTENTS["ear/model.bin"]


def child(host: FileHost, root: Path) -> subprocess.Popen[str]:
    """Another process that pulls the set ``both`` and prints each line it is told."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom clawmux.adapters.models import ModelStore\n"
        "from tests.stand_ins.small_models import SETS, models\n"
        "store = ModelStore(Path(sys.argv[1]), models=models(sys.argv[2]), sets=SETS)\n"
        "store.pull('both', progress=lambda told: told.text and print(told.text, flush=True))\nprint('done', flush=True)\n"
    )
    argv = [sys.executable, "-c", program, str(root), host.url("")]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.faults
async def test_killed_pull_is_resumed(store: ModelStore, host: FileHost) -> None:
    page = host.pages["/official/ear/model.bin"]
    page.hold_after = 700_000
    with child(host, store.root) as process:
        assert host.held.wait(DEADLINE_SECONDS)
        part = store.part(small_models.models("")["ear"].files[0])
        await until(lambda: part.exists() and part.stat().st_size >= 262_144, DEADLINE_SECONDS)
        process.send_signal(signal.SIGKILL)
    page.hold_after = None
    kept = part.stat().st_size
    assert kept >= 262_144
    assert store.path("ear") is None
    store.pull("both")
    assert host.ranges_of("/official/ear/model.bin") == [None, f"bytes={kept}-"]
    assert store.missing("both") == []
    assert store.verify() == []


def test_leftovers_of_a_killed_pull_are_cleared(store: ModelStore) -> None:
    for path in (
        "ready/.ear.new/model.bin",
        "ready/.ear.old/x",
        "partial/archives/tool-abc/x",
        "partial/x.build",
        "partial/0.part",
    ):
        (store.root / path).parent.mkdir(parents=True, exist_ok=True)
        (store.root / path).write_bytes(b"x")
    store.pull("mouth")
    assert files_below(store.root) == sorted([f"blobs/{sha('mouth/mouth.onnx')}", "ready/mouth/mouth.onnx"])


def test_second_pull_waits_and_finds_it_done(store: ModelStore, host: FileHost) -> None:
    host.pages["/official/ear/model.bin"].hold_after = 100
    first = threading.Thread(target=store.pull, args=("both",))
    first.start()
    assert host.held.wait(DEADLINE_SECONDS)
    with child(host, store.root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Another pull is at work in {store.root}; waiting for it to end.\n"
        host.go.set()
        assert process.stdout.readline() == "done\n"
    first.join()
    assert process.returncode == 0
    assert [seen.path for seen in host.seen].count("/official/ear/model.bin") == 1


def test_waiting_pull_can_be_cancelled(store: ModelStore, host: FileHost) -> None:
    host.pages["/official/ear/model.bin"].hold_after = 100
    first = threading.Thread(target=store.pull, args=("both",))
    first.start()
    assert host.held.wait(DEADLINE_SECONDS)

    def stop(progress: Progress) -> None:
        assert progress.stage == "waiting"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_store(host, store.root).pull("both", progress=stop)
    host.go.set()
    first.join()
    assert store.missing("both") == []


@pytest.mark.speech
def test_tiny_set_from_the_registries(tmp_path: Path) -> None:
    """The real thing. With CLAWMUX_MODELS set the files are kept between runs."""
    store = ModelStore(Path(os.environ.get("CLAWMUX_MODELS") or tmp_path))
    store.pull("tiny")
    assert store.missing("tiny") == []
    assert store.verify("tiny") == []
    found = {
        name: hashlib.sha256((store.root / "ready" / name / MODELS[name].files[0].name).read_bytes()).hexdigest()
        for name in ("whisper-tiny.en", "kokoro-int8", "voices")
    }
    assert found == {
        "whisper-tiny.en": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "kokoro-int8": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
        "voices": "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d",
    }
