"""The trade ledger: all trades of a run in a chain of hashed blocks, as a text file.

The trades of each step form a block with the hash of the previous block and a proof of work. The
chain is created after the simulation. It is tamper-evident only: there are no peers and no
consensus, and a party that rewrites a block, all later blocks and the header can forge it at the
cost of the proofs of work. A published last hash anchors the chain; compare it with the one that
`verify_ledger` returns. What happened before the trades were written is not covered.

`ledger.jsonl` is UTF-8 JSON Lines without spaces, keys in this order, each line ended by a line
feed:

    {"format":"prosumax-ledger-1","difficulty":1,"blocks":2,"last_hash":"0c..","hash":"5b.."}
    {"index":0,"step":31,"time":"2024-05-01T07:45:00Z","previous":"00..","trades":[[..]],...}
    {"index":1,"step":32,"time":"2024-05-01T08:00:00Z","previous":"0a..","trades":[[..]],...}

where `...` stands for `"nonce":7,"hash":"0a.."`. A trade is
`["buyer","seller",kwh,buyer_price,seller_price]`: kWh with 6 decimals, prices in currency/kWh with
8 decimals, `0.250000` and never `-0.000000`. In strings `"`, `\\` and characters below U+0020 are
escaped as in JSON; other characters are written as they are. `hash` is the SHA-256 in lower-case
hex of the line without that field: the text before `,"hash":`, then `}`. The hash of a block starts
with `difficulty` zeros. `previous` is the hash of the previous block, 64 zeros in the first one;
`last_hash` is the hash of the last block, 64 zeros without trades.

References:
    MARLEM, section 3.3.4 (decentralized validation).
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
from prosumax.simulation.results.trades import POOL_NAME, TRADE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "ledger.jsonl"
FORMAT = "prosumax-ledger-1"
GENESIS = "0" * 64
MAX_DIFFICULTY = 5

_FIX = (
    "The ledger cannot be trusted from here on: restore the file from a copy, or run the scenario "
    "again."
)
_CHANGED = "the line was changed: its content does not fit its hash"
_quote = json.JSONEncoder(ensure_ascii=False).encode


class LedgerSummary(NamedTuple):
    """Content of a valid ledger.

    Attributes:
        blocks: Number of blocks, one per step with trades.
        trades: Number of trades.
        kwh: Energy traded.
        last_hash: Hash of the last block, to compare with a published one.
    """

    blocks: int
    trades: int
    kwh: float
    last_hash: str


def write_ledger(trades: "pd.DataFrame", path: Path, difficulty: int = 1) -> str:
    """Write trades as a chain of blocks, one per step with trades.

    Args:
        trades: Table in the order of `step`, with columns `step` (int), `time` (UTC, one per step,
            written to the second), `buyer`, `seller` (names), `kwh`, `buyer_price` and
            `seller_price` (currency/kWh).
        path: File to write or replace.
        difficulty: Leading zeros of a block's hash, 0 to 5; each takes 16 times more work.

    Returns:
        The hash of the last block.

    Raises:
        InputError: The difficulty is out of range, the trades are not in order, or a number is not
            finite.
    """
    import pandas as pd

    if difficulty not in range(MAX_DIFFICULTY + 1):
        raise InputError(
            "ledger difficulty",
            f"must be a whole number from 0 to {MAX_DIFFICULTY}, got {difficulty}",
            f"Use 0 to {MAX_DIFFICULTY}.",
        )
    if not trades["step"].is_monotonic_increasing:
        raise InputError("trades", "the rows are not in order of `step`", "Sort them by step.")
    numbers = ["kwh", "buyer_price", "seller_price"]
    if not np.isfinite(trades[numbers].to_numpy(np.float64)).all():
        raise InputError(
            "trades", f"hold a number in {', '.join(numbers)} that is not finite", "Correct it."
        )

    times = pd.to_datetime(trades["time"], utc=True)
    rows = zip(
        trades["step"],
        times,
        trades["buyer"],
        trades["seller"],
        *(trades[name] for name in numbers),
        strict=True,
    )
    blocks = trades["step"].nunique()
    previous = GENESIS
    with path.open("wb") as stream:
        # The header is known last. Until then its place holds one that fits no chain and no hash.
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


def read_trades(path: Path) -> "pd.DataFrame":
    """Read the trades of a ledger without verifying it.

    Args:
        path: File of the ledger; a missing file holds no trades.

    Returns:
        Table with columns `TRADE_COLUMNS`, as for `write_ledger`.
    """
    import pandas as pd

    blocks: list[dict[str, Any]] = []
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        blocks = [json.loads(line) for line in lines[1:]]
    rows = [(block["step"], block["time"], *trade) for block in blocks for trade in block["trades"]]
    table = pd.DataFrame(rows, columns=list(TRADE_COLUMNS))
    table["time"] = pd.to_datetime(table["time"], utc=True)
    numbers = ["kwh", "buyer_price", "seller_price"]
    return table.astype({"step": np.int64, **dict.fromkeys(numbers, np.float64)})


def verify_ledger(path: Path) -> LedgerSummary:
    """Verify the hash of every line of a ledger, the links between blocks, and the header.

    Args:
        path: Folder of a run, or the file.

    Returns:
        The content of the ledger.

    Raises:
        InputError: There is no ledger, or it was changed; the message names the first line and
            block that is invalid.
    """
    file = _find_file(path)
    with file.open("rb") as stream:
        header = _read_header(stream.readline(), f"{file}, line 1, header")
        zeros = "0" * header["difficulty"]
        last_hash = GENESIS
        last_time = ""
        blocks = 0
        trades = 0
        kwh = 0.0
        for index, line in enumerate(stream):
            place = f"{file}, line {index + 2}, block {index}"
            block = _parse(line, place)
            place += f" ({block.get('time')})"
            if not _matches(line, block, _block):
                raise InputError(place, _CHANGED, _FIX)
            _check_block(block, index, place, zeros, header["blocks"], last_hash, last_time)
            last_hash = block["hash"]
            last_time = block["time"]
            blocks = index + 1
            trades += len(block["trades"])
            # Energy through a pool appears as a sale to it and as a purchase from it.
            kwh += sum(trade[2] for trade in block["trades"] if trade[0] != POOL_NAME)
    if blocks < header["blocks"]:
        after = f" after the block of {last_time}" if blocks else ""
        raise InputError(
            f"{file}, line {blocks + 2}, block {blocks}",
            f"the block is missing: the header counts {header['blocks']} blocks and the file"
            f" ends{after} "
            f"with {blocks}",
            _FIX,
        )
    if last_hash != header["last_hash"]:
        last_block = f"{file}, line {blocks + 1}, block {blocks - 1} ({last_time})"
        place = last_block if blocks else f"{file}, line 1, header"
        raise InputError(place, "the block was replaced: the header names another last hash", _FIX)
    return LedgerSummary(blocks, trades, round(kwh, 6), last_hash)


def _check_block(
    block: dict[str, Any],
    index: int,
    place: str,
    zeros: str,
    num_blocks: int,
    last_hash: str,
    last_time: str,
) -> None:
    """Check the proof of work, position and link of a block."""
    if not block["hash"].startswith(zeros):
        raise InputError(
            place,
            f"the block lacks its proof of work: its hash must start with {len(zeros)} zeros",
            _FIX,
        )
    if block["index"] != index:
        raise InputError(
            place,
            f"a block was removed, inserted or moved: block {block['index']} is in its place",
            _FIX,
        )
    if block["previous"] != last_hash:
        problem = "the block does not link to the start of the chain"
        if index:
            problem = (
                f"the block does not link to block {index - 1} ({last_time}) on the line before:"
                " one of the two was replaced"
            )
        raise InputError(place, problem, _FIX)
    if index >= num_blocks:
        raise InputError(place, f"the block was added: the header counts {num_blocks} blocks", _FIX)


def _header(format: str, difficulty: int, blocks: int, last_hash: str) -> str:
    """Return the header up to its hash."""
    return (
        f'{{"format":{_quote(format)},"difficulty":{difficulty:d},"blocks":{blocks:d},'
        f'"last_hash":{_quote(last_hash)}'
    )


def _open_block(
    index: int, step: int, time: str, previous: str, trades: Iterable[tuple[Any, ...]]
) -> str:
    """Return a block up to its nonce, which comes last so that trying one hashes few bytes."""
    rows = ",".join(
        f"[{_quote(buyer)},{_quote(seller)},{kwh:z.6f},{paid:z.8f},{received:z.8f}]"
        for buyer, seller, kwh, paid, received in trades
    )
    return (
        f'{{"index":{index:d},"step":{step:d},"time":{_quote(time)},"previous":{_quote(previous)},'
        f'"trades":[{rows}],"nonce":'
    )


def _block(nonce: int, **fields: Any) -> str:
    """Return a block up to its hash."""
    return f"{_open_block(**fields)}{nonce:d}"


def _close(text: str, digest: str) -> bytes:
    return f'{text},"hash":"{digest}"}}\n'.encode()


def _hash(text: str) -> str:
    return hashlib.sha256(f"{text}}}".encode()).hexdigest()


def _prove(text: str, difficulty: int) -> tuple[int, str]:
    """Find the lowest nonce that gives a block its leading zeros, and return it with the hash."""
    zeros = "0" * difficulty
    opened = hashlib.sha256(text.encode())
    nonce = 0
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
            f"the line is no header of a ledger ({FORMAT})",
            f"Name a run's folder or its {FILE_NAME}.",
        )
    valid_difficulty = range(MAX_DIFFICULTY + 1)
    if not _matches(line, header, _header) or header["difficulty"] not in valid_difficulty:
        raise InputError(place, _CHANGED, _FIX)
    return header


def _parse(line: bytes, place: str) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise InputError(place, "the line is cut off", _FIX)
    try:
        content = json.loads(line.decode())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(place, "the line was changed: it is not readable as a JSON object", _FIX)
    return content


def _matches(line: bytes, content: dict[str, Any], write: Callable[..., str]) -> bool:
    """Return whether a line equals what the writer makes of its content, byte for byte."""
    try:
        text = write(**{name: value for name, value in content.items() if name != "hash"})
        return line == _close(text, _hash(text))
    except (ArithmeticError, TypeError, ValueError):
        # A field is missing, surplus, or of another type.
        return False


def _find_file(path: Path) -> Path:
    """Return the file of a ledger from its path or its folder."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(
            str(path), "the path does not exist", f"Name a run's folder or its {FILE_NAME}."
        )
    if (file := path / FILE_NAME).is_file():
        return file
    if inside := sorted(found.parent.name for found in path.glob(f"*/{FILE_NAME}")):
        folders = ", ".join(str(path / name) for name in inside)
        raise InputError(
            str(path), "the folder holds one ledger per mechanism", f"Name one: {folders}."
        )
    raise InputError(
        str(path),
        f"the folder holds no {FILE_NAME}",
        "Name the folder of a run with trades between homes.",
    )
