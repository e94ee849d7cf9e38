"""Telephone numbers: international ones by calling code and length, national ones by how a country writes them. Pure.

A number that is only digits is taken for a telephone number only where a word near by says so, in some twenty
languages; without one it may as well be an order.
"""

from __future__ import annotations

import re
from typing import Final

_CALLING: Final = """
    1US10 20EG8-10 211SS9 212MA9 213DZ8-9 216TN8 218LY9 220GM7-9 221SN9 222MR8 223ML8 224GN8-9 225CI10 226BF8 227NE8
    228TG8 229BJ10 230MU7-10 231LR7-9 232SL8 233GH8-9 234NG10-12 235TD8 236CF8 237CM8-9 238CV7 239ST7 240GQ9
    241GA7-8 242CG9 243CD7-10 244AO9 245GW7-9 246IO7 247AC5-6 248SC7 249SD9 250RW8-9 251ET9 252SO6-9 253DJ8
    254KE7-10 255TZ9 256UG9 257BI8 258MZ8-9 260ZM9 261MG9 262RE9 263ZW7-10 264NA8-9 265MW7-9 266LS8 267BW7-10
    268SZ8-9 269KM7 27ZA5-10 290SH4-5 291ER7 297AW7 298FO6 299GL6 30GR10-12 31NL5-11 32BE8-9 33FR9 34ES9 350GI8
    351PT9 352LU4-11 353IE7-10 354IS7-9 355AL6-9 356MT8 357CY8 358FI5-12 359BG6-12 36HU8-9 370LT8 371LV8 372EE7-10
    373MD8 374AM8 375BY6-11 376AD6-9 377MC8-9 378SM8-10 380UA9-10 381RS6-12 382ME8-9 383XK8-12 385HR7-9 386SI5-8
    387BA8-9 389MK8 39IT6-12 40RO6-9 41CH9 420CZ9 421SK6-9 423LI7-9 43AT4-13 44GB7-10 45DK8 46SE6-10 47NO5-8
    48PL7-10 49DE5-13 500FK5 501BZ7-11 502GT8-11 503SV7-11 504HN8-11 505NI8 506CR8-10 507PA7-11 508PM6-9 509HT8
    51PE8-9 52MX10 53CU6-10 54AR10-11 55BR8-11 56CL9-11 57CO8-11 58VE10 590GP9 591BO8-9 592GY7 593EC8-11 594GF9
    595PY6-11 596MQ9 597SR6-7 598UY4-12 599CW7-8 60MY8-10 61AU6-12 62ID7-13 63PH6-13 64NZ5-10 65SG8-11 66TH8-13
    670TL7-8 672NF6 673BN7 674NR7 675PG7-8 676TO5-7 677SB5-7 678VU5-7 679FJ7-11 680PW7 681WF6-9 682CK5 683NU4-7
    685WS5-10 686KI5-8 687NC6 688TV5-7 689PF6-9 690TK4-7 691FM7 692MH7 7RU10-14 800--8 808--8 81JP8-13 82KR5-13
    84VN7-10 850KP8-10 852HK5-11 853MO7-8 855KH8-10 856LA8-10 86CN7-12 870--9-12 878--12 880BD6-10 881--9-10
    882--7-12 883--8-12 886TW7-11 888--11 90TR7-13 91IN8-13 92PK8-12 93AF9 94LK9 95MM6-10 960MV7-10 961LB7-8
    962JO8-9 963SY8-9 964IQ8-10 965KW7-8 966SA9-10 967YE7-9 968OM7-9 970PS8-10 971AE5-12 972IL7-12 973BH8 974QA7-11
    975BT7-8 976MN8-10 977NP8-11 979--9 98IR4-10 992TJ9 993TM8 994AZ9 995GE9 996KG9-10 998UZ9
"""
"""Calling code, country that is named for it, digits of its national numbers (ITU-T E.164; lengths of fixed, mobile,
toll-free and shared numbers as in libphonenumber's metadata 9.0.43, November 2026). `--`: no one country."""


def _calling() -> dict[str, tuple[str, int, int]]:
    codes = {}
    for row in _CALLING.split():
        code, country, shortest, longest = re.fullmatch(r"(\d+)(\D\D)(\d+)(?:-(\d+))?", row).groups()  # type: ignore[union-attr]
        codes[code] = (country.strip("-"), int(shortest), int(longest or shortest))
    return codes


_CODES: Final = _calling()

DATE: Final = re.compile(
    r"(?:(?:19|20)\d\d[./-](?:0?[1-9]|1[0-2])[./-](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[./-](?:0?[1-9]|1[0-2])[./-](?:19|20)?\d\d"
    r"|(?:0?[1-9]|1[0-2])[./-](?:0?[1-9]|[12]\d|3[01])[./-](?:19|20)?\d\d"
    r"|(?:19|20)\d\d ?[/-] ?(?:19|20)\d\d)(?!\d)"
)

_NATIONAL: Final = re.compile(
    r"""
      (?P<US>(?:1[ .-])?(?:\([2-9][0-8]\d\)[ ]?|[2-9][0-8]\d[ .-])[2-9]\d\d[ .-]\d{4})
    | (?P<RU>8[ -]?(?:\(\d{3}\)|\d{3})[ -]\d{3}[ -]\d\d[ -]\d\d)
    | (?P<BR>\(?[1-9]\d\)?[ ]9?\d{4}-\d{4})
    | (?P<CN>1[3-9]\d(?P<c>[ -])\d{4}(?P=c)\d{4})
    | (?P<IN>[6-9]\d{4}[ ]\d{5})
    | (?P<ES>[6-9]\d\d(?P<e>[ .-])\d\d(?P=e)\d\d(?P=e)\d\d)
    | (?P<SEVEN>[1-9]\d[ ]\d{3}[ ]\d\d[ ]\d\d)                       # 12 345 67 89: Poland, Spain
    | (?P<NO>[49]\d\d[ ]\d\d[ ]\d{3})
    | (?P<FR>0[1-9](?P<f>[ .-])\d\d(?P=f)\d\d(?P=f)\d\d(?P=f)\d\d)
    | (?P<SE>0[1-9]\d{0,2}-\d{2,3}[ ]\d\d[ ]\d\d)
    | (?P<PAREN>\(0[1-9]\d{0,4}\)(?:[ -]|[ ][/-][ ])?\d{2,8}(?:[ -]\d{2,4}){0,3}
              | \(06[ ]\d{1,2}\)[ ]\d{3}[ ]\d{3,4}
              | \([1-9]\d{0,3}\)[ ]?\d{3,4}[ -]?\d{3,4})
    | (?P<TRUNK>0[1-9]\d{0,4}(?:[ /-]|[ ][/-][ ]|\.(?=\d{1,8}\.))\d{2,8}(?:[ /.-]\d{2,5}){0,4})
    """,
    re.VERBOSE,
)
_LEAST: Final = {"PAREN": 8, "TRUNK": 9}
_MOST: Final = {"PAREN": 12, "TRUNK": 13}
_NAMED: Final = frozenset({"US", "RU", "BR", "CN", "IN", "ES", "FR", "SE", "NO"})
_ZIP: Final = re.compile(r"0\d{4}-\d{4}")

_WORDS: Final = """
    phone telephone tel telefon mobile mobil cell cellphone fax call calling ring dial sms whatsapp
    handy rufnummer festnetz anrufen anruf durchwahl telefonnummer mobilnummer handynummer
    téléphone téléphoner telephoner portable appeler appelez appelle joindre
    teléfono móvil celular llamar llámame llame telefono cellulare cell chiamare chiama chiamami
    telefone telemóvel ligar ligue telefoon mobiel bel bellen gsm mobilnummer telefonnumre ring ringa tlf tlfnr
    puhelin puhelinnumero soita zadzwoń telefonu komórka telefonszám hívjon mobiltelefon volejte
    zavolejte telefonul sunați cep arayın ara τηλ τηλέφωνο κινητό тел телефон мобильный звоните позвоните
    дзвоніть hp telp telepon gọi
"""
WORDS: Final = frozenset(_WORDS.split())
"""Words that tell that a number is of a telephone, as they stand in a text put in lower case."""

NEXT: Final = re.compile(r"[ (-]{0,3}(?:fax|office|mobile|cell|home|desk|phone|tel|mobil|büro)\b")
"""What may come after a number and tell the same: 555 0123 (mobile)."""

PARTS: Final = (
    "电话", "電話", "手机", "手機", "携帯", "联系", "전화", "휴대폰", "연락처", "โทร", "هاتف", "جوال", "موبايل",
    "טלפון", "נייד", "फोन", "फ़ोन", "मोबाइल", "☎", "📞", "📱",
)  # fmt: skip
"""The same for scripts that do not part words by spaces, or that join them."""


def international(digits: str, first: int) -> str | None:
    """Return the country ("" for a service without one) of a number given after its + or 00; None: it is none.

    `first`: digits before the first separator, which parts no calling code: +3.14 is a sum.
    """
    for width in (1, 2, 3):
        row = _CODES.get(digits[:width])
        if row is not None:
            country, shortest, longest = row
            rest = len(digits) - width
            # After the code, a 0 is dialled at home only; people write it all the same: +49 (0)30 ...
            fits = shortest <= rest <= longest or (digits[width] == "0" and shortest <= rest - 1 <= longest)
            return country if fits and first >= width and len(digits) >= 7 else None
    return None


def national(raw: str, digits: str) -> str | None:
    """Return the country ("" when several write so) of a number that is written as telephone numbers are at home; None:
    it is not."""
    match = _NATIONAL.fullmatch(raw)
    if match is None:
        return None
    form = match.lastgroup or ""
    if form in _NAMED:
        return form
    # A slash parts an area from a number in German, and little else that begins with 0.
    least = 7 if form == "TRUNK" and raw.count("/") == 1 else _LEAST.get(form, 0)
    if not least <= len(digits) <= _MOST.get(form, 15) or _ZIP.fullmatch(raw) or is_date(raw):
        return None
    return ""


def in_context(raw: str, digits: str) -> bool:
    """Return whether digits may be a telephone number where a word near by says that there is one."""
    return 6 + (len(raw) == len(digits)) <= len(digits) <= 13 and not is_date(raw)


def is_date(raw: str) -> bool:
    """Return whether a run of digits begins with a date or a span of years."""
    return DATE.match(raw) is not None
