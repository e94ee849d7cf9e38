"""Check digits and birth dates of the numbers that states give to persons. Pure; refuses to know texts.

Each check takes the number without its separators, letters in upper case, and of the right length and alphabet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

Check: TypeAlias = Callable[[str], bool]

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_MONTHS: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def weighed(number: str, weights: Sequence[int]) -> int:
    """Return the sum of the first digits, each times its weight."""
    return sum((ord(c) - 48) * weight for c, weight in zip(number, weights, strict=False))


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    values = [ord(c) - 48 for c in reversed(number)]
    return (sum(values[::2]) + sum(_DOUBLED[v] for v in values[1::2])) % 10 == 0


def mod_11_10(number: str) -> bool:
    """ISO/IEC 7064, MOD 11,10."""
    check = 5
    for c in number:
        check = ((check or 10) * 2 % 11 + ord(c) - 48) % 10
    return check == 1


_TURN: Final = ("0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415",
                "7046913258")  # fmt: skip
_DIHEDRAL: Final = ("0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432",
                    "7659821043", "8765932104", "9876543210")  # fmt: skip


def verhoeff(number: str) -> bool:
    """J. Verhoeff, Error Detecting Decimal Codes, 1969: the dihedral group of the pentagon."""
    check = 0
    for place, c in enumerate(reversed(number)):
        check = int(_DIHEDRAL[check][int(_TURN[place % 8][int(c)])])
    return check == 0


def born(day: str, month: str) -> bool:
    """Return whether that day is in that month (of a leap year)."""
    at = int(month)
    return 1 <= at <= 12 and 1 <= int(day) <= _MONTHS[at]


def eleven(weights: Sequence[int]) -> Check:
    """A number whose weighed sum, check digit included, is a multiple of eleven."""
    return lambda number: weighed(number, weights) % 11 == 0


def us_ssn(n: str) -> bool:
    """SSN (no area 000, 666, 900-999, no group 00, no serial 0000) or ITIN (groups 50-65, 70-88, 90-92, 94-99)."""
    if n[5:] == "0000" and n[0] != "9":
        return False
    if n[0] == "9":
        group = int(n[3:5])
        return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return n[:3] not in ("000", "666") and n[3:5] != "00" and n != "123456789"


def us_ssn_told(n: str) -> bool:
    """What somebody calls an SSN, though its area is one that is never given out: mistyped, made up, or of a test."""
    return us_ssn(n) or (n[0] == "9" and n[3:5] != "00" and n[5:] != "0000")


def gb_nhs(n: str) -> bool:
    return weighed(n, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and len(set(n)) > 1


def de_steuer(n: str) -> bool:
    """Of the first ten digits one comes twice or three times, the others at most once."""
    times = sorted(n[:10].count(d) for d in set(n[:10]))
    return n[0] != "0" and times[-1] in (2, 3) and (len(times) < 2 or times[-2] == 1) and mod_11_10(n)


def de_rvnr(n: str) -> bool:
    """Area, date of birth, first letter of the name, serial, check digit (VKVV, section 2)."""
    digits = n[:8] + f"{ord(n[8]) - 64:02d}" + n[9:]
    sums = 0
    for c, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=False):
        product = int(c) * weight
        sums += product // 10 + product % 10
    return born(n[2:4], n[4:6]) and sums % 10 == int(digits[12])


def fr_nir(n: str) -> bool:
    """Sex, year, month (20 and more where unknown), department (2A, 2B), commune, serial, key modulo 97."""
    plain = n.replace("2A", "19", 1) if n[5:7] == "2A" else n.replace("2B", "18", 1) if n[5:7] == "2B" else n
    month = int(plain[3:5])
    return (
        plain[0] in "12378"
        and (1 <= month <= 12 or 20 <= month <= 42 or month >= 50)
        and 97 - int(plain[:13]) % 97 == int(plain[13:])
    )


def es_dni(n: str) -> bool:
    number = ("012"["XYZ".index(n[0])] + n[1:-1]) if n[0] in "XYZ" else n[:-1]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == n[-1] and int(number) > 0


_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def it_fiscale(n: str) -> bool:
    """Ministerial decree of 12 March 1974; letters may stand for digits where two would share a code."""
    total = 0
    for place, c in enumerate(n[:15]):
        value = int(c) if c.isdigit() else ord(c) - 65
        total += value if place % 2 else _ODD[value]
    return chr(65 + total % 26) == n[15]


def nl_bsn(n: str) -> bool:
    n = n.zfill(9)
    return weighed(n, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and int(n) > 9999999


def be_nrn(n: str) -> bool:
    """Born before 2000 or, with a 2 put before it, since; month and day may be 0, month 20 or 40 more (bis numbers)."""
    first, check = int(n[:9]), int(n[9:])
    return int(n[2:4]) % 20 <= 12 and int(n[4:6]) <= 31 and check in (97 - first % 97, 97 - (2000000000 + first) % 97)


def pl_pesel(n: str) -> bool:
    month = int(n[2:4]) % 20
    return born(n[4:6], str(month)) and weighed(n, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def se_pnr(n: str) -> bool:
    n = n[-10:]
    day = int(n[4:6])
    return born(f"{day - 60 if day > 60 else day}", n[2:4]) and luhn(n)


def dk_cpr(n: str) -> bool:
    """The date only: since 2007 numbers are given out that fail the old check."""
    return born(n[:2], n[2:4])


def dk_cpr_old(n: str) -> bool:
    return born(n[:2], n[2:4]) and weighed(n, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def fi_hetu(n: str) -> bool:
    """With its century sign where that is a letter."""
    return born(n[:2], n[2:4]) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(n[:6] + n[-4:-1]) % 31] == n[-1]


def no_fnr(n: str) -> bool:
    """Fødselsnummer; D numbers have 40 added to the day, H numbers to the month."""
    day, month = int(n[:2]) % 40, int(n[2:4]) % 40
    return (
        born(str(day), str(month))
        and weighed(n, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighed(n, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def is_kennitala(n: str) -> bool:
    return born(n[:2], n[2:4]) and weighed(n, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and n[9] in "890"


def pt_nif(n: str) -> bool:
    check = -weighed(n, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return n[0] != "0" and (0 if check == 10 else check) == int(n[8])


def ch_ahv(n: str) -> bool:
    """EAN-13, of the country number 756."""
    return n.startswith("756") and weighed(n, (1, 3) * 6 + (1,)) % 10 == 0


def at_svnr(n: str) -> bool:
    return born(n[4:6], n[6:8]) and weighed(n, (3, 7, 9, -1, 5, 8, 4, 2, 1, 6)) % 11 == 0


def ie_pps(n: str) -> bool:
    """A ninth letter counts, but for W, T and X of old numbers of spouses."""
    total = weighed(n, (8, 7, 6, 5, 4, 3, 2)) + 9 * max("WABCDEFGHI".find(n[8:]), 0)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == n[7]


def br_cpf(n: str) -> bool:
    if len(set(n)) == 1:
        return False
    first = weighed(n, range(10, 1, -1)) * 10 % 11 % 10
    return first == int(n[9]) and weighed(n, range(11, 1, -1)) * 10 % 11 % 10 == int(n[10])


def in_aadhaar(n: str) -> bool:
    return n[0] in "23456789" and n != n[::-1] and verhoeff(n)


def au_medicare(n: str) -> bool:
    return n[0] in "23456" and weighed(n, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(n[8])


def au_tfn(n: str) -> bool:
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10) if len(n) == 9 else (10, 7, 8, 4, 6, 3, 5, 1)
    return weighed(n, weights) % 11 == 0 and int(n) > 0


def ca_sin(n: str) -> bool:
    return n[0] not in "08" and luhn(n)


def nz_ird(n: str) -> bool:
    if not 10_000_000 < int(n) < 200_000_000:
        return False
    for weights in ((3, 2, 7, 6, 5, 4, 3, 2), (7, 4, 3, 2, 5, 2, 7, 6)):
        check = -weighed(n.zfill(9), weights) % 11
        if check != 10:
            return check == int(n[-1])
    return False


def mx_curp(n: str) -> bool:
    values = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(values.index(c) * (18 - place) for place, c in enumerate(n[:17]))
    return born(n[8:10], n[6:8]) and -total % 10 == int(n[17])


def kr_rrn(n: str) -> bool:
    """Date, century and sex; the check digit is random since October 2020."""
    return n[6] in "12345678" and born(n[4:6], n[2:4])


def jp_number(n: str) -> bool:
    rest = weighed(n, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if rest <= 1 else 11 - rest) == int(n[11]) and len(set(n)) > 1


def cn_resident(n: str) -> bool:
    """GB 11643-1999: place, date, serial; ISO/IEC 7064, MOD 11-2."""
    total = sum(int(c) * (2 ** (17 - place) % 11) for place, c in enumerate(n[:17]))
    return (
        n[0] in "12345689"
        and n[6:8] in ("19", "20")
        and born(n[12:14], n[10:12])
        and "10X98765432"[total % 11] == n[17]
    )


def cz_rodne(n: str) -> bool:
    """Months of women have 50 added, 20 more when a day's numbers ran out; nine digits (before 1954) have no check."""
    month = int(n[2:4]) % 50 % 20
    if not born(n[4:6], str(month)):
        return False
    return len(n) == 9 or int(n) % 11 == 0 or (int(n[:9]) % 11 == 10 and n[9] == "0")


def bg_egn(n: str) -> bool:
    total = weighed(n, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return born(n[4:6], str(int(n[2:4]) % 20)) and total == int(n[9])


def ro_cnp(n: str) -> bool:
    total = weighed(n, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return n[0] != "0" and born(n[5:7], n[3:5]) and (1 if total == 10 else total) == int(n[12])


def baltic(n: str) -> bool:
    """Isikukood of Estonia, asmens kodas of Lithuania."""
    check = weighed(n, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = weighed(n, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return n[0] in "12345678" and born(n[5:7], n[3:5]) and check == int(n[10])


def lv_kods(n: str) -> bool:
    """Numbers given since 2017 begin with 32 and tell no date."""
    return n.startswith("32") or (
        born(n[:2], n[2:4]) and (1 + weighed(n, (10, 5, 8, 4, 2, 1, 6, 3, 7, 9))) % 11 % 10 == int(n[10])
    )


def gr_amka(n: str) -> bool:
    return born(n[:2], n[2:4]) and luhn(n)


def gr_afm(n: str) -> bool:
    return int(n) > 0 and weighed(n, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == int(n[8])


def hu_tax(n: str) -> bool:
    return n[0] == "8" and weighed(n, (1, 2, 3, 4, 5, 6, 7, 8, 9)) % 11 == int(n[9])


def yu_jmbg(n: str) -> bool:
    """Serbia, Bosnia, Montenegro, North Macedonia; EMŠO of Slovenia."""
    check = -weighed(n, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return born(n[:2], n[2:4]) and check == int(n[12])


def tr_kimlik(n: str) -> bool:
    first = (7 * sum(map(int, n[0:9:2])) - sum(map(int, n[1:8:2]))) % 10
    return n[0] != "0" and first == int(n[9]) and sum(map(int, n[:10])) % 10 == int(n[10])


def ru_snils(n: str) -> bool:
    return weighed(n, range(9, 0, -1)) % 101 % 100 == int(n[9:]) and len(set(n)) > 1


def ru_inn(n: str) -> bool:
    first = weighed(n, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return first == int(n[10]) and weighed(n, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10 == int(n[11])


def ua_number(n: str) -> bool:
    return weighed(n, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10 == int(n[9])


def kz_iin(n: str) -> bool:
    check = weighed(n, range(1, 12)) % 11
    if check == 10:
        check = weighed(n, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
    return born(n[4:6], n[2:4]) and check == int(n[11])


def my_nric(n: str) -> bool:
    return born(n[4:6], n[2:4]) and n[6:8] not in (
        "00",
        "17",
        "18",
        "19",
        "20",
        "69",
        "70",
        "73",
        "80",
        "81",
        "94",
        "95",
        "96",
        "97",
    )


def th_id(n: str) -> bool:
    return n[0] in "12345678" and (11 - weighed(n, range(13, 1, -1)) % 11) % 10 == int(n[12])


def za_id(n: str) -> bool:
    return born(n[4:6], n[2:4]) and n[10] in "012" and luhn(n)


def id_nik(n: str) -> bool:
    return n[0] in "123456789" and born(str(int(n[6:8]) % 40), n[8:10])


def ir_code(n: str) -> bool:
    rest = weighed(n, range(10, 1, -1)) % 11
    return len(set(n)) > 1 and (rest if rest < 2 else 11 - rest) == int(n[9])


def sa_id(n: str) -> bool:
    return n[0] in "12" and luhn(n)


def ae_id(n: str) -> bool:
    return n.startswith(("78419", "78420")) and luhn(n)


def il_id(n: str) -> bool:
    return int(n) > 0 and luhn(n)


def tw_id(n: str) -> bool:
    value = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(n[0]) + 10
    return (value // 10 + value % 10 * 9 + weighed(n[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def hk_id(n: str) -> bool:
    values = [36, *map(_ALPHABET.index, n)][-9:]
    return sum(v * (9 - place) for place, v in enumerate(values)) % 11 == 0


def sg_nric(n: str) -> bool:
    total = weighed(n[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(n[0], 0)
    letters = "KLJNPQRTUWX" if n[0] == "M" else "XWUTRQPNMLK" if n[0] in "FG" else "JZIHGFEDCBA"
    return (letters[10 - total % 11] if n[0] == "M" else letters[total % 11]) == n[8]


def cl_rut(n: str) -> bool:
    total = sum(int(c) * (place % 6 + 2) for place, c in enumerate(reversed(n[:-1])))
    return "0K987654321"[total % 11] == n[-1]


def ar_cuil(n: str) -> bool:
    check = -weighed(n, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return n[:2] in ("20", "23", "24", "25", "26", "27") and check == int(n[10])


def uy_cedula(n: str) -> bool:
    return -weighed(n, (2, 9, 8, 7, 6, 3, 4)) % 10 == int(n[7])


def ec_cedula(n: str) -> bool:
    return (1 <= int(n[:2]) <= 24 or n[:2] == "30") and n[2] < "6" and luhn(n)


def pl_nip(n: str) -> bool:
    return weighed(n, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(n[9])


def structure(n: str) -> bool:
    """A number without a check digit: its form is all there is to see."""
    return bool(n)
