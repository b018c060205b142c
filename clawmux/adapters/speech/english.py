"""Pure: numbers and signs as English says them, where the synthesiser's own reading is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

Replacement = str | Callable[[re.Match[str]], str]


def replace_all(table: list[tuple[re.Pattern[str], Replacement]], line: str) -> str:
    for pattern, replacement in table:
        line = pattern.sub(replacement, line)
    return line


# --- numbers ------------------------------------------------------------------------------------

_MONTH_LIST = "January February March April May June July August September October November December"
_MONTHS = _MONTH_LIST.split()
_ONE = {
    "ms": "millisecond", "s": "second", "sec": "second", "min": "minute", "mins": "minute", "h": "hour", "hrs": "hour",
    "µs": "microsecond", "us": "microsecond", "ns": "nanosecond", "B": "byte", "kB": "kilobyte", "KB": "kilobyte",
    "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte",
    "px": "pixel", "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer", "kg": "kilogram", "dB": "decibel",
}  # fmt: skip
_ALWAYS = {
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "MB/s": "megabytes per second",
    "GB/s": "gigabytes per second", "kB/s": "kilobytes per second", "KB/s": "kilobytes per second",
    "Mbit/s": "megabits per second", "Gbit/s": "gigabits per second", "km/h": "kilometers per hour",
    "req/s": "requests per second", "fps": "frames per second", "°C": "degrees Celsius", "°F": "degrees Fahrenheit",
    "°": "degrees", "x": "times", "k": "thousand", "K": "thousand", "M": "million",
}  # fmt: skip
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound"}
_SCALES = {"k": " thousand", "K": " thousand", "M": " million", "B": " billion", "bn": " billion", "": ""}


def _unit(found: re.Match[str]) -> str:
    number, unit = found[1], found[2]
    if unit in _ALWAYS:
        return f"{number} {_ALWAYS[unit]}"
    return f"{number} {_ONE[unit]}{'' if number == '1' else 's'}"


def _money(found: re.Match[str]) -> str:
    sign, whole, part, scale = found[1], found[2], found[3] or "", found[4] or ""
    name = _CURRENCIES[sign]
    if scale:
        return f"{whole}{part}{_SCALES[scale]} {name}s"
    said = f"{whole} {name}{'' if whole == '1' else 's'}"
    return f"{said} {part[1:].lstrip('0')}" if part.strip(".0") else said


def _date(found: re.Match[str]) -> str:
    month, day = int(found[2]), int(found[3])
    return f"{_MONTHS[month - 1]} {day}, {found[1]}" if 1 <= month <= 12 and 1 <= day <= 31 else found[0]


def _time(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        return found[0]
    if minute == 0:
        return f"{hour} o'clock" if hour < 13 else f"{hour} hundred"
    return f"{hour} {minute}" if minute > 9 else f"{hour} oh {minute}"


def _range(found: re.Match[str]) -> str:
    low, dash, high = found[1], found[2], found[3]
    # 555-1234 is a telephone number; 5-10 and 2019-2024 go from one to the other.
    sure = dash == "–" or (float(low) < float(high) and (len(high) <= 3 or len(low) == len(high)))
    return f"{low} to {high}" if sure else found[0]


def _points(found: re.Match[str]) -> str:
    numbers = found[2].split(".")
    said = (" dot " if len(numbers) == 4 and not found[1] else " point ").join(numbers)
    return f"version {said}" if found[1] else said


NUMBERS: list[tuple[re.Pattern[str], Replacement]] = [
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.I), "an id"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])([0-9a-f]{4})[0-9a-f]{3,60}\b"), lambda found: " ".join(found[1])),
    (
        re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:T(?=\d))?(?![\d-])"),
        lambda found: _date(found) + (" " if found[0].endswith("T") else ""),
    ),
    (re.compile(r"(?<![\d:.])(\d{1,2}):(\d\d)(?![\d:.]\d|\d)"), _time),
    (re.compile(r"([$€£])(\d{1,12}(?:,\d{3}){0,4})(\.\d{1,4})?(k|K|M|B|bn)?\b"), _money),
    (re.compile(r"(?<![\w.])([vV]?)(\d{1,6}(?:\.\d{1,6}){2,4})(?![\w.]*\w)"), _points),
    (re.compile(r"(?<![\w.])[vV](?=\d{1,4}(?:\.\d{1,4})?(?:\s|[,;:!?)]|\.?$|\.\s))"), "version "),
    (
        re.compile(
            r"(?<![\w.,-])(\d{1,9}(?:[.,]\d{1,6})?) ?("
            + "|".join(sorted(map(re.escape, [*_ONE, *_ALWAYS]), key=len, reverse=True))
            + r")(?![\w/°])(?!-\w)"
        ),
        _unit,
    ),
    (re.compile(r"(?<![\w.,:/-])(\d{1,6}(?:\.\d{1,4})?)\s?([-–])\s?(\d{1,6}(?:\.\d{1,4})?)(?![\w/-]|\.\d|[-–])"), _range),
    (re.compile(r"\b24/7\b"), "24 7"),
    (re.compile(r"(?<![\w./])(\d{1,6})/(\d{1,6})(?![\w/]|\.\d)"), r"\1 of \2"),
    (re.compile(r"(?<=\d)_(?=\d{3})"), ""),
]

# --- signs -------------------------------------------------------------------------------------

SIGNS: list[tuple[re.Pattern[str], Replacement]] = [
    (re.compile(r"\$\{?(?=[A-Za-z_])|(?<=\w)\}"), ""),
    (re.compile(r"(?<![\w-])--(?=\w)"), "dash dash "),
    (re.compile(r"(?<![\w-])-(?=[A-Za-z]\b)"), "dash "),
    (re.compile(r"\bC#"), "C sharp"),
    (re.compile(r"(?<!\w)#(?=\d)"), "number "),
    (re.compile(r"\s*(?:<->|<=>|↔)\s*"), " and "),
    (re.compile(r"\s*(?:->|=>|→|⇒|➜|⟶)\s*"), " to "),
    (re.compile(r"\s*(?:<-|←)\s*"), " from "),
    (re.compile(r"\s*(?:!==?|≠)\s*"), " is not "),
    (re.compile(r"\s*(?:>=|≥)\s*"), " at least "),
    (re.compile(r"\s*(?:<=|≤)\s*"), " at most "),
    (re.compile(r"\s*===?\s*"), " equals "),
    (re.compile(r"\s*\+=\s*"), " plus equals "),
    (re.compile(r"\s&&\s|\s&\s"), " and "),
    (re.compile(r"\s\|\|\s"), " or "),
    (re.compile(r"\s\|\s"), " pipe "),
    (re.compile(r"(?<=\s)>(?=\s?\d)|(?<=\d)\s?>(?=\s)"), " more than "),
    (re.compile(r"(?<!\S)<\s?(?=\d)"), " less than "),
    (re.compile(r"(?<![\w~])[~≈]\s?(?=\d)"), " about "),
    (re.compile(r"\s?±\s?"), " plus or minus "),
    (re.compile(r"(?<=\d)\s?[×]\s?(?=\d)"), " by "),
    (re.compile(r"(?<=\w)\s=\s(?=\S)|(?<=\w)=(?=\w)"), " equals "),
    (re.compile(r"(?<=\d)\s\*\s(?=\d)"), " times "),
    (re.compile(r"(?<=\w)\(\)"), ""),
    (re.compile(r"(?<=\w)::(?=\w)"), " "),
    (re.compile(r"\s--?\s"), ", "),
    (re.compile(r"[{}\[\]|\\^<>*~`#]+"), " "),
]
