"""Months as syslog writes them, and as journals print them where they speak another language than English."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ENGLISH = f"(?:{'|'.join(MONTHS)})"
# `abmon` of glibc's locales, in small letters and without the dot that some put behind; most of these names are of
# several languages. A name that means one month here and another there (Croatian's) is left out.
ABBREVIATED = {
    "en": "jan feb mar apr may jun jul aug sep oct nov dec",
    "de": "jan feb mär apr mai jun jul aug sep okt nov dez",
    "fr": "janv févr mars avril mai juin juil août sept oct nov déc",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "nl": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "nb": "jan feb mars april mai juni juli aug sep okt nov des",
    "sv": "jan feb mar apr maj jun jul aug sep okt nov dec",
    "fi": "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
    "pl": "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "hu": "jan febr márc ápr máj jún júl aug szept okt nov dec",
    "ro": "ian feb mar apr mai iun iul aug sep oct nov dec",
    "tr": "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "el": "ιαν φεβ μαρ απρ μαΐ ιουν ιουλ αυγ σεπ οκτ νοε δεκ",
    "ru": "янв фев мар апр мая июн июл авг сен окт ноя дек",
    "ja": "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
    "ko": "1월 2월 3월 4월 5월 6월 7월 8월 9월 10월 11월 12월",
}
NUMBER_OF = {
    name: number for names in ABBREVIATED.values() for number, name in enumerate(names.split(), 1)
}  # name → 1 to 12
# A name as it may be written; those that begin with a digit stand behind a blank where they have but one.
PATTERN = rf" ?(?i:{'|'.join(NUMBER_OF)})\.?"


def numbers(names: pa.Array) -> np.ndarray:
    """The number of each month, of texts that match PATTERN; 0 of one that is a name but for how a letter is written,
    as with the long s, which counts as an s where capitals do not matter."""
    bare = pc.utf8_trim(pc.utf8_lower(names), " .")
    place = pc.index_in(bare, pa.array(list(NUMBER_OF))).fill_null(-1)
    return np.array([*NUMBER_OF.values(), 0])[place.to_numpy()]
