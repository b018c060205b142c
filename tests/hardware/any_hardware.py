"""Any Hardware at all, likely or not, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from clawmux.hardware import Apple, Gpu, Hardware, Note

TEXT = st.text(max_size=20)
BYTES = st.integers(0, 1 << 42)
PAIR = st.tuples(st.integers(0, 30), st.integers(0, 20))

NOTES = st.builds(
    Note, st.sampled_from(["nvidia", "memory", "rosetta", "wsl", "processor"]), TEXT.map("It failed: {}.".format), TEXT
)
GPUS = st.builds(
    Gpu,
    vendor=st.sampled_from(["nvidia", "amd", "intel", "apple", "other"]),
    name=TEXT,
    memory_bytes=st.none() | BYTES,
    free_bytes=st.none() | BYTES,
    compute_capability=st.none() | PAIR,
    is_unified=st.booleans(),
    is_mig_slice=st.booleans(),
    unusable=st.just("") | TEXT,
    number=st.integers(0, 16),
)
APPLES = st.builds(
    Apple, st.integers(0, 12), st.sampled_from(["", "Pro", "Max", "Ultra", "Mini"]), st.integers(0, 64), st.booleans()
)
HARDWARE = st.builds(
    Hardware,
    system=st.sampled_from(["linux", "darwin", "windows", "freebsd", ""]),
    release=st.sampled_from(["6.1.0", "14.5", "13", "", "x.y"]) | TEXT,
    architecture=st.sampled_from(["x86_64", "arm64", "armv7l", "riscv64", ""]),
    libc=st.sampled_from(["glibc 2.36", "glibc 2.17", "musl", "", "glibc x"]),
    cpu_name=TEXT,
    cpu_features=st.frozensets(st.sampled_from(["sse2", "sse4_1", "avx2", "avx_vnni", "avx512f", "avx512_vnni", "neon"])),
    cores=st.floats(0, 512, allow_nan=False),
    cores_of_host=st.integers(0, 512),
    memory_bytes=BYTES,
    memory_of_host_bytes=BYTES,
    memory_free_bytes=BYTES,
    wsl=st.integers(0, 2),
    jetson=TEXT,
    container=TEXT,
    apple=st.none() | APPLES,
    gpus=st.lists(GPUS, max_size=4).map(tuple),
    driver=TEXT,
    cuda=st.none() | PAIR,
    python=st.sampled_from([(0, 0), (3, 10), (3, 11), (3, 12), (3, 13), (3, 14)]),
    notes=st.lists(NOTES, max_size=4).map(tuple),
)
