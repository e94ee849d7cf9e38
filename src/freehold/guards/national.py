"""Numbers that states give to persons: which there are, how they are written, which words tell of them. Pure.

A form that is unlike anything else, or a check that one number in a hundred passes by chance, stands alone. Bare digits
with a weaker check are taken only where a word near by, in a language of that country, says what they are.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from freehold.guards import national_checks as checks
from freehold.guards.national_checks import Check


class Row(NamedTuple):
    """One number made of digits: `note` (country and usual name), how many digits, its check, and words that tell of
    it (lower case)."""

    note: str
    lengths: tuple[int, ...]
    check: Check
    words: str


_ROWS: Final = (
    Row("US SSN", (9,), checks.us_ssn_told, "ssn ssns itin tin social socialsecurity taxpayer"),
    Row("CA SIN", (9,), checks.ca_sin, "sin nas insurance"),
    Row("GB NHS", (10,), checks.gb_nhs, "nhs"),
    Row("DE Steuer-ID", (11,), checks.de_steuer, "steuer steueridentifikationsnummer steuerid steuernummer idnr tin tax"
        " identifikationsnummer steuerliche"),
    Row("AT SVNR", (10,), checks.at_svnr, "svnr sozialversicherungsnummer versicherungsnummer sv vsnr"),
    Row("NL BSN", (8, 9), checks.nl_bsn, "bsn burgerservicenummer sofinummer sofi burgerservice"),
    Row("BE NRN", (11,), checks.be_nrn, "rijksregisternummer rijksregister nrn insz niss nationaal national"),
    Row("FR NIR", (15,), checks.fr_nir, ""),
    Row("PT NIF", (9,), checks.pt_nif, "nif contribuinte fiscal"),
    Row("PL PESEL", (11,), checks.pl_pesel, "pesel"),
    Row("PL NIP", (10,), checks.pl_nip, "nip"),
    Row("SE personnummer", (10, 12), checks.se_pnr, "personnummer personnr pnr samordningsnummer personal"),
    Row("DK CPR", (10,), checks.dk_cpr, "cpr cprnummer personnummer"),
    Row("NO fødselsnummer", (11,), checks.no_fnr, ""),
    Row("IS kennitala", (10,), checks.is_kennitala, "kennitala kt"),
    Row("CZ rodné číslo", (9, 10), checks.cz_rodne, "rodné rodne rč"),
    Row("HU adóazonosító", (10,), checks.hu_tax, "adóazonosító adószám adóazonosítója"),
    Row("RO CNP", (13,), checks.ro_cnp, "cnp numeric"),
    Row("BG ЕГН", (10,), checks.bg_egn, "егн egn"),
    Row("GR ΑΜΚΑ", (11,), checks.gr_amka, "αμκα amka"),
    Row("GR ΑΦΜ", (9,), checks.gr_afm, "αφμ afm φ"),
    Row("HR OIB", (11,), checks.mod_11_10, "oib oiba"),
    Row("RS JMBG", (13,), checks.yu_jmbg, "jmbg јмбг emšo emso emšo matični matičen ематичен"),
    Row("EE isikukood", (11,), checks.baltic, "isikukood isikukoodi"),
    Row("LT asmens kodas", (11,), checks.baltic, "asmens"),
    Row("LV personas kods", (11,), checks.lv_kods, "personas"),
    Row("TR kimlik", (11,), checks.tr_kimlik, "tckn kimlik tc tcno"),
    Row("RU СНИЛС", (11,), checks.ru_snils, "снилс snils"),
    Row("RU ИНН", (12,), checks.ru_inn, "инн inn"),
    Row("UA РНОКПП", (10,), checks.ua_number, "рнокпп іпн rnokpp ідентифікаційний"),
    Row("KZ ИИН", (12,), checks.kz_iin, "иин жсн iin"),
    Row("IN Aadhaar", (12,), checks.in_aadhaar, "aadhaar aadhar adhaar uidai आधार"),
    Row("JP My Number", (12,), checks.jp_number, "mynumber kojin"),
    Row("KR RRN", (13,), checks.kr_rrn, "rrn resident"),
    Row("CN 身份证", (18,), checks.cn_resident, ""),
    Row("TH ID", (13,), checks.th_id, "thai citizen identification"),
    Row("MY NRIC", (12,), checks.my_nric, "nric ic mykad kad pengenalan"),
    Row("ID NIK", (16,), checks.id_nik, "nik ktp"),
    Row("VN CCCD", (12,), checks.structure, "cccd cmnd cước căn"),
    Row("AU TFN", (8, 9), checks.au_tfn, "tfn tfns"),
    Row("AU Medicare", (10, 11), checks.au_medicare, "medicare"),
    Row("NZ IRD", (8, 9), checks.nz_ird, "ird"),
    Row("BR CPF", (11,), checks.br_cpf, "cpf"),
    Row("AR CUIL", (11,), checks.ar_cuil, "cuil cuit"),
    Row("CL RUT", (8, 9), checks.cl_rut, "rut"),
    Row("DO cédula", (11,), checks.luhn, "cédula cedula"),
    Row("EC cédula", (10,), checks.ec_cedula, "cédula cedula"),
    Row("ZA ID", (13,), checks.za_id, "id identity"),
    Row("IL ת.ז.", (9,), checks.il_id, "teudat zehut תז"),
    Row("IR کد ملی", (10,), checks.ir_code, "melli"),
    Row("SA ID", (10,), checks.sa_id, "iqama saudi"),
)  # fmt: skip

_UNSPACED: Final = {
    "IL ת.ז.": ("ת.ז", "תעודת זהות", "מספר זהות"), "IR کد ملی": ("کد ملی", "کدملی", "شماره ملی"),
    "SA ID": ("الهوية", "هوية", "الإقامة", "إقامة"), "JP My Number": ("my number", "マイナンバー", "個人番号"),
    "KR RRN": ("주민등록번호", "주민번호"), "TH ID": ("บัตรประชาชน", "ประจำตัวประชาชน"), "IN Aadhaar": ("आधार",),
    "GR ΑΦΜ": ("α.φ.μ",), "GR ΑΜΚΑ": ("α.μ.κ.α",),
}  # fmt: skip
"""Phrases, words of scripts that do not part words by spaces, and abbreviations with points."""

ALONE: Final[dict[int, tuple[tuple[str, Check], ...]]] = {
    11: (("NO fødselsnummer", checks.no_fnr),),
    13: (("CH AHV", checks.ch_ahv),),
    15: (("FR NIR", checks.fr_nir), ("AE ID", checks.ae_id)),
    18: (("CN 身份证", checks.cn_resident),),
}
"""By length: what needs no word near by, as two check digits or a date and a check hold it."""

_BY_NAME: Final = {row.note: row for row in _ROWS}


def _by_word() -> dict[str, tuple[Row, ...]]:
    table: dict[str, tuple[Row, ...]] = {}
    for row in _ROWS:
        for word in row.words.split():
            table[word] = (*table.get(word, ()), row)
    return table


BY_WORD: Final = _by_word()
BY_PART: Final = tuple((part, _BY_NAME[note]) for note, parts in _UNSPACED.items() for part in parts)

_FORMS: Final = re.compile(
    r"""
      (?P<us>\d{3}-\d\d-\d{4})
    | (?P<br>\d{3}\.\d{3}\.\d{3}-\d\d)
    | (?P<be>\d\d(?P<b>[ .])\d\d(?P=b)\d\d[ .-]\d{3}[ .-]\d\d)
    | (?P<se>(?:19|20)?\d{6}-\d{4})
    | (?P<cz>\d{6}/\d{3,4})
    | (?P<ch>756[. ]\d{4}[. ]\d{4}[. ]\d\d)
    | (?P<kr>\d{6}-\d{7})
    | (?P<my>\d{6}-\d\d-\d{4})
    | (?P<th>\d-\d{4}-\d{5}-\d\d-\d)
    | (?P<ru>\d{3}-\d{3}-\d{3}[ -]\d\d)
    | (?P<in>[2-9]\d{3}(?P<i>[ -])\d{4}(?P=i)\d{4})
    | (?P<de>[1-9]\d[ ]\d{3}[ ]\d{3}[ ]\d{3})
    | (?P<at>[1-9]\d{3}[ ]\d{6})
    | (?P<lv>\d{6}-\d{5})
    | (?P<no>\d{6}[ ]\d{5})
    | (?P<ae>784-\d{4}-\d{7}-\d)
    | (?P<fr>[12378][ ]\d\d[ ]\d\d[ ]\d\d[ ]\d{3}[ ]\d{3}[ ]?\d\d|[12378]\d{12}[ ]\d\d)
    | (?P<do>\d{3}-\d{7}-\d)
    | (?P<ar>2[0-7]-\d{8}-\d)
    | (?P<cl>\d{1,2}\.\d{3}\.\d{3}-\d)
    | (?P<uy>\d\.\d{3}\.\d{3}-\d)
    """,
    re.VERBOSE,
)


def _nordic(n: str) -> str | None:
    """Six digits, a hyphen, four: three countries write so. What passes several is the likeliest of them."""
    if checks.se_pnr(n):
        return "SE personnummer"
    if len(n) == 10 and checks.is_kennitala(n):
        return "IS kennitala"
    return "DK CPR" if len(n) == 10 and checks.dk_cpr_old(n) else None


_FORM_ROWS: Final[dict[str, tuple[str, Check]]] = {
    "us": ("US SSN", checks.us_ssn),
    "br": ("BR CPF", checks.br_cpf),
    "be": ("BE NRN", checks.be_nrn),
    "cz": ("CZ rodné číslo", checks.cz_rodne),
    "ch": ("CH AHV", checks.ch_ahv),
    "kr": ("KR RRN", checks.kr_rrn),
    "my": ("MY NRIC", checks.my_nric),
    "th": ("TH ID", checks.th_id),
    "ru": ("RU СНИЛС", checks.ru_snils),
    "in": ("IN Aadhaar", checks.in_aadhaar),
    "de": ("DE Steuer-ID", checks.de_steuer),
    "at": ("AT SVNR", checks.at_svnr),
    "lv": ("LV personas kods", checks.lv_kods),
    "no": ("NO fødselsnummer", checks.no_fnr),
    "ae": ("AE ID", checks.ae_id),
    "fr": ("FR NIR", checks.fr_nir),
    "do": ("DO cédula", checks.luhn),
    "ar": ("AR CUIL", checks.ar_cuil),
    "cl": ("CL RUT", checks.cl_rut),
    "uy": ("UY cédula", checks.uy_cedula),
}


def formed(raw: str, digits: str) -> str | None:
    """Return the note of a number that is written as only that country writes it, or whose check stands alone."""
    match = _FORMS.fullmatch(raw)
    if match is not None:
        form = match.lastgroup or ""
        if form == "se":
            return _nordic(digits)
        note, check = _FORM_ROWS[form]
        if check(digits):
            return note
        if form == "cl" and len(digits) == 8 and checks.uy_cedula(digits):
            return "UY cédula"
        return None
    if len(raw) == len(digits):
        for note, check in ALONE.get(len(digits), ()):
            if check(digits):
                return note
    return None


class Lettered(NamedTuple):
    """One number with letters in it: `gates` are shapes (0 a digit, A a letter) of which a text must have one."""

    note: str
    gates: tuple[bytes, ...]
    form: re.Pattern[str]
    check: Check


def _lettered(note: str, gates: str, form: str, check: Check, flags: int = 0) -> Lettered:
    pattern = re.compile(form, re.ASCII | re.VERBOSE | flags)
    return Lettered(note, tuple(gate.encode().replace(b"_", b" ") for gate in gates.split()), pattern, check)


# Each begins with a set of characters and looks back from behind the first of them: see redact's patterns of old.
LETTERED: Final = (
    _lettered("GB NINO", "AA000000A AA_00_00_00_A",
        r"[A-CEGHJ-PR-TW-Z](?<![A-Za-z0-9].)(?<!\w.)(?!(?<=B)G|(?<=G)B|(?<=N)[KT]|(?<=T)N|(?<=Z)Z|(?<=K)N)"
        r"[A-CEGHJ-NPR-TW-Z][ ]?\d\d[ ]?\d\d[ ]?\d\d[ ]?[A-D](?!\w)", checks.structure),
    _lettered("IT codice fiscale", "AAAAAA00A AAAAAA0AA AAAAAAA0A AAAAAAAAA00A AAA_AAA_00",
        r"[A-Z](?<!\w.)[A-Z]{2}[ ]?[A-Z]{3}[ ]?[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[ ]?"
        r"[A-Z][0-9LMNP-V]{3}[A-Z](?!\w)",
        checks.it_fiscale, re.IGNORECASE),
    _lettered("ES DNI", "00000000A 00000000-A 00000000_A 000.000-A",
        r"\d(?<![\w.-].)(?:\d{7}|\d\.\d{3}\.\d{3})[ -]?[A-HJ-NP-TV-Z](?!\w)", checks.es_dni),
    _lettered("ES NIE", "A0000000A A-0000000-A A0000000-A",
        r"[XYZ](?<!\w.)-?\d{7}-?[A-HJ-NP-TV-Z](?!\w)", checks.es_dni),
    _lettered("IE PPS", "0000000A 0000000_A",
        r"\d(?<![\w.-].)\d{6}[ ]?[A-W][A-ITWX]?(?!\w)", checks.ie_pps),
    _lettered("DE RVNR", "00000000A000 000000_A_00",
        r"\d(?<![\w.-].)\d[ ]?\d{6}[ ]?[A-Z][ ]?\d\d[ ]?\d(?!\w)", checks.de_rvnr),
    _lettered("FR NIR", "00000A00000000 _0A_000",
        r"[12378](?<![\w.-].)[ ]?\d\d[ ]?\d\d[ ]?2[AB][ ]?\d{3}[ ]?\d{3}[ ]?\d\d(?!\w)", checks.fr_nir),
    _lettered("FI HETU", "000000-000 000000A000 000000+000",
        r"\d(?<![\w.-].)\d{5}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y](?!\w)", checks.fi_hetu),
    _lettered("MX CURP", "AAAA000000A",
        r"[A-Z](?<!\w.)[AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d(?!\w)", checks.mx_curp),
    _lettered("IN PAN", "AAAAA0000A", r"[A-Z](?<!\w.)[A-Z]{2}P[A-Z]\d{4}[A-Z](?!\w)", checks.structure),
    _lettered("SG NRIC", "A0000000A", r"[STFGM](?<!\w.)\d{7}[A-Z](?!\w)", checks.sg_nric),
    _lettered("TW ID", "A000000000", r"[A-Z](?<!\w.)[1289]\d{8}(?!\w)", checks.tw_id),
    _lettered("HK ID", "A000000(", r"[A-Z](?<!\w.|[A-Z].)(?:[A-Z](?<!\w..))?\d{6}\([0-9A]\)", checks.hk_id),
    _lettered("CN 身份证", "00000000000000000A", r"[1-9](?<!\w.)\d{16}[Xx](?!\w)", checks.cn_resident),
    _lettered("CL RUT", "000000-A 000.000-A", r"\d(?<![\w.-].)\d?(?:\.?\d{3}){2}-[Kk](?!\w)", checks.cl_rut),
    _lettered("US MBI", "0AA0AA0 0AA0-AA0 0A00AA0 0A00-AA0",
        r"[1-9](?<![\w-].)[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d(?P<m>-?)[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d(?P=m)"
        r"[AC-HJKMNP-RT-Y]{2}\d\d(?!\w)", checks.structure),
)  # fmt: skip
