"""The few words that we say ourselves, in each language a voice speaks. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    dot: str
    slash: str
    at: str
    line: str
    link_to: str
    image: str
    code: str
    """With {lines}: stands for a block of code that is only shown."""
    table: str
    """With {columns} and {rows}: stands for a table too big to read."""


ENGLISH = Words(
    "dot", "slash", "at", "line", "a link to", "image",
    "{lines} lines of code are on the page.",
    "A table of {columns} with {rows} rows is on the page.",
)  # fmt: skip

_WORDS: dict[str, Words] = {
    "en": ENGLISH,
    "es": Words(
        "punto", "barra", "arroba", "línea", "un enlace a", "imagen",
        "{lines} líneas de código están en la página.",
        "Una tabla de {columns} con {rows} filas está en la página.",
    ),
    "fr": Words(
        "point", "slash", "arobase", "ligne", "un lien vers", "image",
        "{lines} lignes de code sont sur la page.",
        "Un tableau de {columns} avec {rows} lignes est sur la page.",
    ),
    "hi": Words(
        "डॉट", "स्लैश", "ऐट", "पंक्ति", "लिंक", "चित्र",
        "पृष्ठ पर कोड की {lines} पंक्तियाँ हैं।",
        "पृष्ठ पर {columns} की {rows} पंक्तियों वाली तालिका है।",
    ),
    "it": Words(
        "punto", "barra", "chiocciola", "riga", "un link a", "immagine",
        "{lines} righe di codice sono nella pagina.",
        "Una tabella di {columns} con {rows} righe è nella pagina.",
    ),
    "ja": Words(
        "ドット", "スラッシュ", "アット", "ぎょう", "リンク", "がぞう",
        "ページに{lines}ぎょうのコードがあります。",
        "ページに{columns}の{rows}ぎょうのひょうがあります。",
    ),
    "pt": Words(
        "ponto", "barra", "arroba", "linha", "um link para", "imagem",
        "{lines} linhas de código estão na página.",
        "Uma tabela de {columns} com {rows} linhas está na página.",
    ),
    "zh": Words(
        "点", "斜杠", "艾特", "行", "链接", "图片",
        "页面上有{lines}行代码。",
        "页面上有一个{columns}的表格，共{rows}行。",
    ),
}  # fmt: skip


def words_of(language: str) -> Words:
    """Of a language tag such as en-GB; English for languages without a voice."""
    return _WORDS.get(language.partition("-")[0].lower(), ENGLISH)
