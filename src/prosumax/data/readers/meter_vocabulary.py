"""What a column or a register of a meter export is called, in Dutch, French, German and English."""

import re
import unicodedata
from typing import NamedTuple

# Injection comes first: "production injectée" is what was sent. "Net" is also Dutch for the grid, so it needs company.
_DIRECTIONS = {
    "net": r"\b(netto|nett|solde|saldo|balance)\b|^net\b|\bnet[ _]?(load|import|consumption|energy|power|k?wh?)\b",
    "injection": r"injec|injek|terug ?lever|teruggeleverd|einspeis|ruckspeis|export|feed[ -]?in|\b2 8 [0-9]\b|sent\b"
    r"|\ba-(?=$|\W)",
    "production": r"produ[ck]|opwek|opbrengst|erzeug|\bpv\b|solar|\bzon|photovolt|generat",
    "offtake": r"afname|afgenomen|verbruik|prelev|consom|soutir|bezug|verbrauch|entnahme|offtake|import|consum|usage"
    r"|\bload\b|withdraw|\b1 8 [0-9]\b|\ba\+|taken\b|demand",
}
_TOTAL = r"\b(totaal|totale?|gesamt|summe|som|somme|sum|all)\b"
_REGISTER = (
    r"\b(dag|nacht|jour|nuit|tag|day|night|ht|nt|hp|hc|heures?|pleines?|creuses?|peak|off ?peak|piek|dal|laag|hoog"
    r"|normaal|exclusie[fv]|actie[fv]|acti[fv]e?|aktiv|energie|energy|elektriciteit|electricite|strom|stroom|t[1-4]"
    r"|register|tarief|tarif|teller|volume|value|valeur|waarde|wert|de|van|du|per|in|from|to|the|grid|reseau)\b"
)
_UNIT = re.compile(r"(?:^|[\W_])(mwh|kwh|wh|mw|kw|w|kvarh|kvar|m3)(?=$|[\W_])")
_LEFT_OUT = re.compile(
    r"temp|°c|prijs|price|prix|preis|eur\b|€|humid|vocht|wind|cos ?phi|volt|ampere|reacti|blind|gas|water"
)
_STATUS = re.compile(
    r"valid|status|statut|qualit|kwaliteit|opmerking|remark|comment|omschrijving|type"
)
_ID = re.compile(
    r"\bean|meter|compteur|zahler|\bhome|\bhouse|maison|woning|huis|haus|adres|address|naam|\bname|\bnom|point|toegangs"
    r"|appart|client|customer|klant|kunde|\bid\b|\bcode|lot\b|participant|deelnemer|serie"
)
_END = re.compile(
    r"^(tot|to|until|end|einde|eind|fin|bis|ende|au|a)\b|\b(end|fin|ende|einde|eind|bis|tot|au|until)$"
)


class Meaning(NamedTuple):
    """What a name says.

    Attributes:
        direction: "offtake", "injection", "production", "net", or None where it does not say.
        total: whether it names the sum of other registers.
        unit: "mwh", "kwh", "wh", "mw", "kw", "w", "kvarh", "m3", or None.
        label: what is left of the name: the home, as written; may be empty.
    """

    direction: str | None
    total: bool
    unit: str | None
    label: str


def plain(text: str) -> str:
    """Lower case, without accents, with ³ as 3, and blanks for what separates words."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[\s_.:/|]+", " ", folded).strip()


def meaning(text: str) -> Meaning:
    """Read the name of a column or a register."""
    said = plain(text)
    unit = _UNIT.search(said)
    direction = next((name for name, form in _DIRECTIONS.items() if re.search(form, said)), None)
    return Meaning(
        direction, bool(re.search(_TOTAL, said)), unit[1] if unit else None, _label(text)
    )


def is_left_out(name: str) -> bool:
    """Whether a column of numbers is something else than active energy: a price, a temperature, gas."""
    return bool(_LEFT_OUT.search(plain(name)))


def is_status(name: str) -> bool:
    """Whether a column says how values came about, or remarks on them."""
    return bool(_STATUS.search(plain(name)))


def is_id(name: str) -> bool:
    """Whether a column names the home or its meter."""
    return bool(_ID.search(plain(name)))


def is_end(name: str) -> bool:
    """Whether a column of times holds the ends of intervals."""
    return bool(_END.search(plain(name)))


def _label(text: str) -> str:
    """The words of a name that say neither what was measured nor in which unit, as written."""
    text = re.sub(r"\d-\d:", "", text)  # the medium and channel of an OBIS code
    words = re.split(r"([\s_:;,/|()\[\]]+)", text.strip())
    kept = [
        word if number % 2 or not _is_measure(plain(word)) else ""
        for number, word in enumerate(words)
    ]
    return re.sub(r"\s+", " ", "".join(kept).replace("_", " ")).strip(" -:;,/|()[]+")


def _is_measure(word: str) -> bool:
    return bool(
        any(re.search(form, word) for form in _DIRECTIONS.values())
        or re.fullmatch(_TOTAL, word)
        or re.fullmatch(_REGISTER, word)
        or _UNIT.fullmatch(word)
        or re.fullmatch(r"net|\d \d \d|a[+-]", word)
    )
