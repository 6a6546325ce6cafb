"""Column and register names of meter exports in Dutch, French, German and English."""

import re
import unicodedata
from typing import NamedTuple

# Injection precedes production: "production injectée" is energy sent to the grid. "Net" is also
# Dutch for the grid, so it denotes a net register only together with another word.
_DIRECTIONS = {
    "net": r"\b(netto|nett|solde|saldo|balance)\b|^net\b"
    r"|\bnet[ _]?(load|import|consumption|energy|power|k?wh?)\b",
    "injection": r"injec|injek|terug ?lever|teruggeleverd|einspeis|ruckspeis|export|feed[ -]?in"
    r"|\b2 8 [0-9]\b|sent\b|\ba-(?=$|\W)",
    "production": r"produ[ck]|opwek|opbrengst|erzeug|\bpv\b|solar|\bzon|photovolt|generat",
    "offtake": r"afname|afgenomen|verbruik|prelev|consom|soutir|bezug|verbrauch|entnahme|offtake"
    r"|import|consum|usage|\bload\b|withdraw|\b1 8 [0-9]\b|\ba\+|taken\b|demand",
}
_TOTAL = r"\b(totaal|totale?|gesamt|summe|som|somme|sum|all)\b"
_REGISTER = (
    r"\b(dag|nacht|jour|nuit|tag|day|night|ht|nt|hp|hc|heures?|pleines?|creuses?|peak|off ?peak"
    r"|piek|dal|laag|hoog|normaal|exclusie[fv]|actie[fv]|acti[fv]e?|aktiv|energie|energy"
    r"|elektriciteit|electricite|strom|stroom|t[1-4]|register|tarief|tarif|teller|volume|value"
    r"|valeur|waarde|wert|de|van|du|per|in|from|to|the|grid|reseau)\b"
)
_UNIT = re.compile(r"(?:^|[\W_])(mwh|kwh|wh|mw|kw|w|kvarh|kvar|m3)(?=$|[\W_])")
_NOT_ENERGY = re.compile(
    r"temp|°c|prijs|price|prix|preis|eur\b|€|humid|vocht|wind|cos ?phi|volt|ampere|reacti|blind"
    r"|gas|water"
)
_STATUS = re.compile(
    r"valid|status|statut|qualit|kwaliteit|opmerking|remark|comment|omschrijving|type"
)
_ID = re.compile(
    r"\bean|meter|compteur|zahler|\bhome|\bhouse|maison|woning|huis|haus|adres|address|naam"
    r"|\bname|\bnom|point|toegangs|appart|client|customer|klant|kunde|\bid\b|\bcode|lot\b"
    r"|participant|deelnemer|serie"
)
_END = re.compile(
    r"^(tot|to|until|end|einde|eind|fin|bis|ende|au|a)\b"
    r"|\b(end|fin|ende|einde|eind|bis|tot|au|until)$"
)


class ParsedName(NamedTuple):
    """Interpretation of the name of a column or a register.

    Attributes:
        direction: `offtake`, `injection`, `production` or `net`; None if the name does not state
            it.
        is_total: Whether the name denotes the sum of other registers.
        unit: `mwh`, `kwh`, `wh`, `mw`, `kw`, `w`, `kvarh`, `kvar` or `m3`; None if not stated.
        label: Rest of the name as written, usually the home; may be empty.
    """

    direction: str | None
    is_total: bool
    unit: str | None
    label: str


def normalize_name(text: str) -> str:
    """Convert a name to lower-case ASCII with single blanks between words.

    Args:
        text: Name as written in the file.
    """
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[\s_.:/|]+", " ", folded).strip()


def parse_name(text: str) -> ParsedName:
    """Interpret the name of a column or a register.

    Args:
        text: Name as written in the file.
    """
    name = normalize_name(text)
    unit = _UNIT.search(name)
    directions = (key for key, pattern in _DIRECTIONS.items() if re.search(pattern, name))
    return ParsedName(
        direction=next(directions, None),
        is_total=bool(re.search(_TOTAL, name)),
        unit=unit[1] if unit else None,
        label=_label(text),
    )


def is_not_energy(name: str) -> bool:
    """Check if a numeric column holds something other than active energy, such as a price.

    Args:
        name: Name of the column.
    """
    return bool(_NOT_ENERGY.search(normalize_name(name)))


def is_status_column(name: str) -> bool:
    """Check if a column holds the status of the values or remarks.

    Args:
        name: Name of the column.
    """
    return bool(_STATUS.search(normalize_name(name)))


def is_id_column(name: str) -> bool:
    """Check if a column identifies the home or its meter.

    Args:
        name: Name of the column.
    """
    return bool(_ID.search(normalize_name(name)))


def is_interval_end(name: str) -> bool:
    """Check if a time column holds the ends of intervals.

    Args:
        name: Name of the column.
    """
    return bool(_END.search(normalize_name(name)))


def _label(text: str) -> str:
    """Remove the words that state the direction, register or unit; keep the others as written."""
    text = re.sub(r"\d-\d:", "", text)  # Medium and channel of an OBIS code.
    parts = re.split(r"([\s_:;,/|()\[\]]+)", text.strip())
    kept = [
        part if number % 2 or not _is_measurement_word(normalize_name(part)) else ""
        for number, part in enumerate(parts)
    ]
    return re.sub(r"\s+", " ", "".join(kept).replace("_", " ")).strip(" -:;,/|()[]+")


def _is_measurement_word(word: str) -> bool:
    return bool(
        any(re.search(pattern, word) for pattern in _DIRECTIONS.values())
        or re.fullmatch(_TOTAL, word)
        or re.fullmatch(_REGISTER, word)
        or _UNIT.fullmatch(word)
        or re.fullmatch(r"net|\d \d \d|a[+-]", word)
    )
