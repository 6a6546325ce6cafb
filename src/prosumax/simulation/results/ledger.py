"""The trade ledger: every executed trade in a chain of hashed blocks, kept with a run as text.

After each trading period the trades are put into a block with the hash of the block before and a proof of work, as in
section 3.3.4 of the MARLEM paper (decentralised validation). The chain is made after the simulation, outside its loop.

It is tamper-evident, and no more: there are no peers and no consensus, and whoever can rewrite a block, all later ones
and the header can forge it, at the cost of the proofs of work. What anchors it is a published last hash: compare that
with what `verify_ledger` returns. Nothing here knows what happened before the trades were written.

`ledger.jsonl` is UTF-8 JSON Lines, without spaces, keys in this order, each line ended by a line feed:

    {"format":"prosumax-ledger-1","difficulty":1,"blocks":2,"last_hash":"0c..","hash":"5b.."}
    {"index":0,"step":31,"time":"2024-05-01T07:45:00Z","previous":"00..","trades":[[..]],"nonce":7,"hash":"0a.."}
    {"index":1,"step":32,"time":"2024-05-01T08:00:00Z","previous":"0a..","trades":[[..]],"nonce":3,"hash":"0c.."}

A trade is `["buyer","seller",kwh,buyer_price,seller_price]`: kWh with exactly 6 decimals, prices (currency/kWh) with
exactly 8, `0.250000` and never `-0.000000`. In strings `"`, `\\` and characters below U+0020 are escaped as JSON does,
others stand as they are. `hash` is the SHA-256, in lower-case hex, of the line as written without that field: the text
before `,"hash":`, then `}`. A block's starts with `difficulty` zeros. `previous` is the hash of the block before, 64
zeros in the first block; `last_hash` is the hash of the last block, 64 zeros when nothing was traded.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from prosumax.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "ledger.jsonl"
FORMAT = "prosumax-ledger-1"
GENESIS = "0" * 64
MAX_DIFFICULTY = 5

_CURE = (
    "Nothing from here on can be trusted: restore the file from a copy, or run the scenario again."
)
_quote = json.JSONEncoder(ensure_ascii=False).encode


class LedgerSummary(NamedTuple):
    """What a sound ledger holds.

    Attributes:
        blocks: number of blocks, one per step with trades.
        trades: number of trades.
        kwh: energy traded.
        last_hash: hash of the last block, to compare with a published one.
    """

    blocks: int
    trades: int
    kwh: float
    last_hash: str


def write_ledger(trades: "pd.DataFrame", path: Path, difficulty: int = 1) -> str:
    """Write executed trades as a chain of blocks, one block per step that has trades, and return the last hash.

    Arguments:
        trades: in order of `step`, with columns `step` (int), `time` (UTC, one per step, written to the second),
            `buyer`, `seller` (names), `kwh`, `buyer_price` and `seller_price` (currency/kWh).
        path: the file; an earlier one is replaced.
        difficulty: zeros a block's hash starts with, 0 to 5; each takes 16 times the work of the one before.

    Raises:
        InputError: the difficulty is out of range, the trades are not in order, or a number is not finite.
    """
    import pandas as pd

    if difficulty not in range(MAX_DIFFICULTY + 1):
        raise InputError(
            "ledger difficulty",
            f"is {difficulty}",
            f"Give a whole number from 0 to {MAX_DIFFICULTY}.",
        )
    if not trades["step"].is_monotonic_increasing:
        raise InputError("trades", "are not in order of `step`", "Sort them by step.")
    numbers = ["kwh", "buyer_price", "seller_price"]
    if not np.isfinite(trades[numbers].to_numpy(np.float64)).all():
        raise InputError(
            "trades",
            f"hold a number in {', '.join(numbers)} that is not finite",
            "Give finite numbers.",
        )

    times = pd.to_datetime(trades["time"], utc=True)
    rows = zip(
        trades["step"],
        times,
        trades["buyer"],
        trades["seller"],
        *(trades[n] for n in numbers),
        strict=True,
    )
    blocks = trades["step"].nunique()
    previous = GENESIS
    with path.open("wb") as stream:
        # The header comes first and is known last. Until then its place holds one that fits no chain and no hash.
        stream.write(_close(_header(FORMAT, difficulty, blocks, GENESIS), GENESIS))
        for index, (step, group) in enumerate(groupby(rows, key=itemgetter(0))):
            members = list(group)
            time = f"{members[0][1]:%Y-%m-%dT%H:%M:%SZ}"
            text = _open_block(index, step, time, previous, (member[2:] for member in members))
            nonce, previous = _prove(text, difficulty)
            stream.write(_close(f"{text}{nonce}", previous))
        stream.seek(0)
        header = _header(FORMAT, difficulty, blocks, previous)
        stream.write(_close(header, _hash(header)))
    return previous


def verify_ledger(path: Path) -> LedgerSummary:
    """Check every line of a ledger against its hash, its neighbours and the header, and say what it holds.

    Arguments:
        path: the folder of a run, or the file.

    Raises:
        InputError: there is no ledger, or it was changed; names the first line and block where that shows.
    """
    file = _find(path)
    with file.open("rb") as stream:
        header = _read_header(stream.readline(), f"{file}, line 1, header")
        zeros = "0" * header["difficulty"]
        last, last_time, blocks, trades, kwh = GENESIS, "", 0, 0, 0.0
        for index, line in enumerate(stream):
            place = f"{file}, line {index + 2}, block {index}"
            block = _parse(line, place)
            place += f" ({block.get('time')})"
            if not _fits(line, block, _block):
                raise InputError(place, "was changed: its content does not fit its hash", _CURE)
            if not block["hash"].startswith(zeros):
                what = f"lacks its proof of work: its hash must start with {len(zeros)} zeros"
                raise InputError(place, what, _CURE)
            if block["index"] != index:
                what = f"a block was removed, inserted or moved: block {block['index']} stands in its place"
                raise InputError(place, what, _CURE)
            if block["previous"] != last:
                before = (
                    f"block {index - 1} ({last_time}) on the line before"
                    if index
                    else "the start of the chain"
                )
                what = f"does not link to {before}" + (
                    ": one of the two was replaced" if index else ""
                )
                raise InputError(place, what, _CURE)
            if index >= header["blocks"]:
                raise InputError(
                    place, f"was added: the header counts {header['blocks']} blocks", _CURE
                )
            last, last_time, blocks = block["hash"], block["time"], index + 1
            trades += len(block["trades"])
            # A pool is the buyer of what homes put in and the seller of what they take out: count it once.
            kwh += sum(trade[2] for trade in block["trades"] if trade[0] != "pool")
    place = f"{file}, line {blocks + 2}, block {blocks}"
    if blocks < header["blocks"]:
        after = f" after the block of {last_time}" if blocks else ""
        what = f"is missing: the header counts {header['blocks']} blocks and the file ends{after} with {blocks}"
        raise InputError(place, what, _CURE)
    if last != header["last_hash"]:
        place = (
            f"{file}, line {blocks + 1}, block {blocks - 1} ({last_time})"
            if blocks
            else f"{file}, line 1, header"
        )
        raise InputError(place, "was replaced: the header names another last hash", _CURE)
    return LedgerSummary(blocks, trades, round(kwh, 6), last)


def _header(format: str, difficulty: int, blocks: int, last_hash: str) -> str:
    """The header up to its hash."""
    return f'{{"format":{_quote(format)},"difficulty":{difficulty:d},"blocks":{blocks:d},"last_hash":{_quote(last_hash)}'


def _open_block(
    index: int, step: int, time: str, previous: str, trades: Iterable[tuple[Any, ...]]
) -> str:
    """A block up to its nonce, the last thing that is hashed: trying one costs the hash of a few bytes."""
    rows = ",".join(
        f"[{_quote(buyer)},{_quote(seller)},{kwh:z.6f},{paid:z.8f},{received:z.8f}]"
        for buyer, seller, kwh, paid, received in trades
    )
    return (
        f'{{"index":{index:d},"step":{step:d},"time":{_quote(time)},"previous":{_quote(previous)},'
        f'"trades":[{rows}],"nonce":'
    )


def _block(nonce: int, **fields: Any) -> str:
    """A block up to its hash."""
    return f"{_open_block(**fields)}{nonce:d}"


def _close(text: str, digest: str) -> bytes:
    return f'{text},"hash":"{digest}"}}\n'.encode()


def _hash(text: str) -> str:
    return hashlib.sha256(f"{text}}}".encode()).hexdigest()


def _prove(text: str, difficulty: int) -> tuple[int, str]:
    """The lowest nonce that gives a block its leading zeros, and the hash."""
    zeros, opened, nonce = "0" * difficulty, hashlib.sha256(text.encode()), 0
    while True:
        attempt = opened.copy()
        attempt.update(b"%d}" % nonce)
        if (digest := attempt.hexdigest()).startswith(zeros):
            return nonce, digest
        nonce += 1


def _read_header(line: bytes, place: str) -> dict[str, Any]:
    try:
        header = _parse(line, place)
    except InputError:
        header = {}
    if header.get("format") != FORMAT:
        raise InputError(
            place,
            f"is no header of a ledger ({FORMAT})",
            f"Name a run's folder or its {FILE_NAME}.",
        )
    if not _fits(line, header, _header) or header["difficulty"] not in range(MAX_DIFFICULTY + 1):
        raise InputError(place, "was changed: its content does not fit its hash", _CURE)
    return header


def _parse(line: bytes, place: str) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise InputError(place, "is cut off", _CURE)
    try:
        content = json.loads(line.decode())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(place, "was changed: it is not readable as a JSON object", _CURE)
    return content


def _fits(line: bytes, content: dict[str, Any], write: Callable[..., str]) -> bool:
    """Whether the line is, byte for byte, what the writer makes of its content, hash included."""
    try:
        text = write(**{name: value for name, value in content.items() if name != "hash"})
        return line == _close(text, _hash(text))
    except (
        ArithmeticError,
        TypeError,
        ValueError,
    ):  # a field is missing, surplus, or of another type
        return False


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(str(path), "does not exist", f"Name a run's folder or its {FILE_NAME}.")
    if (file := path / FILE_NAME).is_file():
        return file
    if inside := sorted(found.parent.name for found in path.glob(f"*/{FILE_NAME}")):
        what = "holds one ledger per mechanism"
        raise InputError(
            str(path), what, f"Name one: {', '.join(str(path / name) for name in inside)}."
        )
    raise InputError(
        str(path), f"holds no {FILE_NAME}", "Name the folder of a run with trades between homes."
    )
