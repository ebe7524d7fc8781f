"""Knows the languages that subtitle files and tracks are named after."""

from __future__ import annotations

# ISO 639-1, the codes of ISO 639-2 (terminological, bibliographic), and the English name.
_LANGUAGES = """
ar ara arabic
bg bul bulgarian
bn ben bengali
ca cat catalan
cs ces cze czech
da dan danish
de deu ger german
el ell gre greek
en eng english
es spa spanish
et est estonian
eu eus baq basque
fa fas per persian
fi fin finnish
fr fra fre french
gl glg galician
he heb hebrew
hi hin hindi
hr hrv croatian
hu hun hungarian
id ind indonesian
is isl ice icelandic
it ita italian
ja jpn japanese
ko kor korean
lt lit lithuanian
lv lav latvian
mk mkd mac macedonian
ms msa may malay
nl nld dut dutch
no nor norwegian nb nob nn nno
pl pol polish
pt por portuguese
ro ron rum romanian
ru rus russian
sk slk slo slovak
sl slv slovenian
sq sqi alb albanian
sr srp serbian
sv swe swedish
ta tam tamil
te tel telugu
th tha thai
tr tur turkish
uk ukr ukrainian
ur urd urdu
vi vie vietnamese
zh zho chi chinese
"""
_CODE_OF = {
    name: line.split()[0] for line in _LANGUAGES.strip().splitlines() for name in line.split()
}


def language_code(name: str | None) -> str | None:
    """Return one code for a language however it is written ("fre", "fr-CA", "French"), or None.

    A code that is not in the table stands for itself.
    """
    if not name:
        return None
    base = name.strip().lower().replace("_", "-").split("-")[0]
    return None if base in {"", "und"} else _CODE_OF.get(base, base)


def is_language(name: str) -> bool:
    """Whether `name` is a language of the table, with or without a region."""
    return language_code(name) in _CODE_OF.values()
