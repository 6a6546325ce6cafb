"""The trade ledger: what was written is read back, and any change is detected."""

import hashlib
import json
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from prosumax.errors import InputError
from prosumax.simulation.results.ledger import (
    FILE_NAME,
    GENESIS,
    LedgerSummary,
    verify_ledger,
    write_ledger,
)

COLUMNS = ["step", "time", "buyer", "seller", "kwh", "buyer_price", "seller_price"]
ODD_NAMES = [
    "Zoë",
    'the "corner" house',
    "line\nfeed",
    "back\\slash",
    '","hash":"',
    "家\u2028",
    "tab\t}",
    "7",
]


def frame(rows):
    table = pd.DataFrame(rows, columns=["step", *COLUMNS[2:]])
    start = pd.Timestamp("2024-02-28T22:00", tz="UTC")
    table.insert(1, "time", [start + step * pd.Timedelta(minutes=15) for step in table["step"]])
    return table


def street(steps=9, per_step=3):
    """Return trades in every second step, all of them different."""
    rng = np.random.default_rng(4)
    return frame(
        [
            (
                2 * step,
                ODD_NAMES[(step + n) % 8],
                f"home {n}",
                rng.uniform(0, 2),
                *rng.uniform(0.05, 0.3, 2),
            )
            for step in range(steps)
            for n in range(per_step)
        ]
    )


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Return the folder of a valid ledger and its lines, line feeds included."""
    folder = tmp_path_factory.mktemp("run")
    write_ledger(street(), folder / FILE_NAME)
    return folder, (folder / FILE_NAME).read_bytes().splitlines(keepends=True)


def detect(folder, lines):
    """Return the place and problem that `verify_ledger` reports for a file of these lines."""
    file = folder / "changed.jsonl"
    file.write_bytes(b"".join(lines))
    with pytest.raises(InputError) as error:
        verify_ledger(file)
    assert error.value.where.startswith(str(file))
    return error.value.where.removeprefix(f"{file}, "), error.value.problem


def seal(content, difficulty=1):
    """Return a forged line with a valid hash and proof of work, from text without nonce."""
    for nonce in range(100_000):
        text = f'{content},"nonce":{nonce}'
        digest = hashlib.sha256(f"{text}}}".encode()).hexdigest()
        if digest.startswith("0" * difficulty) and (difficulty or not digest.startswith("0")):
            return f'{text},"hash":"{digest}"}}\n'.encode(), digest
    raise AssertionError


def reseal_header(line, **changes):
    content = json.loads(line)
    del content["hash"]
    text = json.dumps(content | changes, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{text[:-1]},"hash":"{digest}"}}\n'.encode()


def test_written_trades_are_verified_and_read(tmp_path):
    trades = street()
    last = write_ledger(trades, tmp_path / FILE_NAME)
    expected = LedgerSummary(9, 27, pytest.approx(trades["kwh"].sum(), abs=27 * 0.5e-6), last)
    assert verify_ledger(tmp_path) == verify_ledger(tmp_path / FILE_NAME) == expected
    header, *blocks = map(json.loads, (tmp_path / FILE_NAME).read_text("utf-8").split("\n")[:-1])
    assert [block["step"] for block in blocks] == list(range(0, 18, 2))
    assert blocks[-1]["time"] == "2024-02-29T02:00:00Z"
    assert (header["blocks"], header["last_hash"]) == (9, blocks[-1]["hash"]) == (9, last)
    written = [trade for block in blocks for trade in block["trades"]]
    assert [trade[:2] for trade in written] == trades[["buyer", "seller"]].to_numpy().tolist()
    np.testing.assert_allclose([trade[2] for trade in written], trades["kwh"], rtol=0, atol=0.5e-6)
    prices = trades[["buyer_price", "seller_price"]]
    np.testing.assert_allclose([trade[3:] for trade in written], prices, rtol=0, atol=0.5e-8)


@pytest.mark.parametrize("number", [0, 4, 8])
def test_hash_follows_the_documented_format(ledger, number):
    _, lines = ledger
    line = lines[number + 1].decode()
    block = json.loads(line)
    # From the text ...
    assert hashlib.sha256((line.split(',"hash":')[0] + "}").encode()).hexdigest() == block["hash"]
    # ... and from the values.
    trades = []
    for buyer, seller, kwh, paid, received in block["trades"]:
        names = json.dumps([buyer, seller], ensure_ascii=False, separators=(",", ":"))[1:-1]
        trades.append("[" + names + f",{kwh:.6f},{paid:.8f},{received:.8f}]")
    before = {name: block[name] for name in ("index", "step", "time", "previous")}
    text = json.dumps(before, separators=(",", ":"))[:-1]
    text += f',"trades":[{",".join(trades)}],"nonce":{block["nonce"]}}}'
    assert hashlib.sha256(text.encode()).hexdigest() == block["hash"]
    assert block["hash"].startswith("0")
    assert block["previous"] == (json.loads(lines[number])["hash"] if number else "0" * 64)


def test_a_run_without_trades_has_an_empty_ledger(tmp_path):
    empty = pd.DataFrame({name: [] for name in COLUMNS})
    assert write_ledger(empty, tmp_path / FILE_NAME) == GENESIS
    assert verify_ledger(tmp_path) == LedgerSummary(0, 0, 0.0, GENESIS)


_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_price = st.floats(-1e6, 1e6)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), _names, _names, st.floats(-1e12, 1e12), _price, _price),
        max_size=9,
    ),
    st.integers(0, 2),
)
@example([(0, name, "\x00\x7f\r\n", -1e-9, -0.0, 1e-9) for name in ODD_NAMES], 0)
def test_any_names_and_finite_numbers_are_verified(tmp_path_factory, rows, difficulty):
    file = tmp_path_factory.mktemp("any") / FILE_NAME
    trades = frame(sorted(rows, key=lambda row: row[0]))
    last = write_ledger(trades, file, difficulty)
    check = verify_ledger(file)
    assert (check.blocks, check.trades, check.last_hash) == (
        trades["step"].nunique(),
        len(rows),
        last,
    )
    blocks = [json.loads(line) for line in file.read_bytes().split(b"\n")[1:-1]]
    written = [trade[:2] for block in blocks for trade in block["trades"]]
    assert written == trades[["buyer", "seller"]].to_numpy().tolist()
    assert all(block["hash"].startswith("0" * difficulty) for block in blocks)


@given(st.data())
def test_a_changed_digit_is_detected_in_its_block(ledger, data):
    folder, lines = ledger
    block = data.draw(st.integers(0, len(lines) - 2))
    line = lines[block + 1]
    place = data.draw(
        st.sampled_from([i for i, byte in enumerate(line) if chr(byte).isdigit() and byte < 128])
    )
    digit = data.draw(st.sampled_from(b"0123456789").filter(lambda digit: digit != line[place]))
    changed = line[:place] + bytes([digit]) + line[place + 1 :]
    where, what = detect(folder, [*lines[: block + 1], changed, *lines[block + 2 :]])
    assert where.startswith(f"line {block + 2}, block {block}")
    assert "was changed" in what


@given(st.data())
def test_a_changed_byte_is_detected_in_its_line(ledger, data):
    folder, lines = ledger
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    place = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
    changed = line[:place] + bytes([byte]) + line[place + 1 :]
    where, _ = detect(folder, [*lines[:number], changed, *lines[number + 1 :]])
    assert where.startswith(f"line {number + 1}, ")


@given(st.data())
def test_removed_repeated_or_moved_blocks_are_detected_at_the_first(ledger, data):
    folder, lines = ledger
    header, blocks = lines[0], lines[1:]
    one, other = sorted(data.draw(st.lists(st.integers(0, 8), min_size=2, max_size=2, unique=True)))
    way = data.draw(st.sampled_from(["remove", "repeat", "swap", "reverse"]))
    changed = list(blocks)
    if way == "remove":
        del changed[one]
        first = one
    elif way == "repeat":  # after any block that does not come before it
        changed.insert(other, blocks[one])
        first = other
    elif way == "swap":
        changed[one], changed[other] = changed[other], changed[one]
        first = one
    else:
        changed[one : other + 1] = changed[one : other + 1][::-1]
        first = min(
            i for i, (was, now) in enumerate(zip(blocks, changed, strict=True)) if was != now
        )
    where, _ = detect(folder, [header, *changed])
    assert where.startswith(f"line {first + 2}, block {first}")


@given(st.data())
def test_removed_repeated_or_moved_trades_are_detected_at_the_first(ledger, data):
    folder, lines = ledger
    listed = [
        line.split(b'"trades":[[')[1].split(b'],"nonce"')[0][:-1].split(b"],[")
        for line in lines[1:]
    ]
    position = st.tuples(st.integers(0, 8), st.integers(0, 2))
    (block, trade), (into, place) = data.draw(position), data.draw(position)
    way = data.draw(st.sampled_from(["remove", "repeat", "swap", "move"]))
    changed = [list(trades) for trades in listed]
    if way == "remove":
        del changed[block][trade]
        into = block
    elif way == "repeat":
        changed[into].insert(place, listed[block][trade])
        block = into
    elif way == "swap":
        changed[block][trade], changed[into][place] = listed[into][place], listed[block][trade]
    else:
        changed[into].insert(place, changed[block].pop(trade))
    assume(changed != listed)
    new = [
        line.replace(b"],[".join(before), b"],[".join(after)) if before != after else line
        for line, before, after in zip(lines[1:], listed, changed, strict=True)
    ]
    where, what = detect(folder, [lines[0], *new])
    first = min(block, into)
    assert where.startswith(f"line {first + 2}, block {first} (2024-02-2")
    assert "was changed" in what


@given(st.data())
def test_a_truncated_file_is_detected(ledger, data):
    folder, lines = ledger
    whole = b"".join(lines)
    kept = whole[: data.draw(st.integers(0, len(whole) - 1))]
    where, _ = detect(folder, [kept])
    full = kept.count(b"\n")
    assert where.startswith(f"line {full + 1}, block {full - 1}" if full else "line 1, header")


def test_missing_blocks_at_the_end_are_counted(ledger):
    folder, lines = ledger
    where, what = detect(folder, lines[:-2])
    assert where == "line 9, block 7"
    assert "counts 9 blocks" in what
    assert "with 7" in what
    assert "2024-02-29T01:00:00Z" in what


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        ({"blocks": 8}, "line 10, block 8 (2024-02-29T02:00:00Z)", "was added"),
        ({"blocks": 10}, "line 11, block 9", "is missing"),
        ({"last_hash": "0" * 64}, "line 10, block 8 (2024-02-29T02:00:00Z)", "another last hash"),
        ({"difficulty": 5}, "line 2, block 0 (2024-02-28T22:00:00Z)", "proof of work"),
        ({"difficulty": 6}, "line 1, header", "was changed"),
        ({"difficulty": "1"}, "line 1, header", "was changed"),
        ({"blocks": None}, "line 1, header", "was changed"),
        ({"more": 1}, "line 1, header", "was changed"),
        ({"format": "prosumax-ledger-2"}, "line 1, header", "no header"),
    ],
)
def test_a_forged_header_is_compared_with_the_chain(ledger, changes, where, what):
    folder, (header, *blocks) = ledger
    at, said = detect(folder, [reseal_header(header, **changes), *blocks])
    assert at == where
    assert what in said


def test_an_edited_or_missing_header_is_detected(ledger):
    folder, (header, *blocks) = ledger
    for changed in (
        header.replace(b'"blocks":9', b'"blocks":8'),
        header.replace(b'"difficulty":1', b'"difficulty":0'),
    ):
        assert detect(folder, [changed, *blocks])[0] == "line 1, header"
    assert detect(folder, blocks)[0] == "line 1, header"
    assert detect(folder, [])[0] == "line 1, header"
    assert detect(folder, [header, header, *blocks])[0].startswith("line 2, block 0")


def test_a_forged_block_with_valid_proof_breaks_the_link(ledger):
    folder, lines = ledger
    opened = lines[4].decode().split(',"nonce"')[0].replace("home 1", "home 2")
    forged, digest = seal(opened)
    where, what = detect(folder, [*lines[:4], forged, *lines[5:]])
    assert where.startswith("line 6, block 4")
    assert "does not link to block 3 (2024-02-28T23:30:00Z)" in what
    # Only the header reveals a forged last block, and only a published hash a forged header.
    forged, digest = seal(lines[9].decode().split(',"nonce"')[0].replace("home 1", "home 2"))
    assert detect(folder, [*lines[:9], forged])[0].startswith("line 10, block 8")
    changed = folder / "changed.jsonl"
    changed.write_bytes(b"".join([reseal_header(lines[0], last_hash=digest), *lines[1:9], forged]))
    assert verify_ledger(changed).last_hash == digest != verify_ledger(folder).last_hash


def test_a_missing_proof_of_work_is_detected(ledger):
    folder, lines = ledger
    lazy, _ = seal(lines[3].decode().split(',"nonce"')[0], difficulty=0)
    where, what = detect(folder, [*lines[:3], lazy, *lines[4:]])
    assert where.startswith("line 4, block 2")
    assert "proof of work" in what


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"{}\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b"9" * 5_000 + b"\n",
        b'{"index":0,"step":0,"time":"","previous":"","trades":[["a","b",1'
        + b"0" * 400
        + b',1,1]],"nonce":0}\n',
        b'{"index":0,"step":0,"time":"","previous":"","trades":[["a","b",NaN,1,1]],"nonce":0,"hash":"0"}\n',
        b'{"index":0,"step":0,"time":"","previous":"","trades":7,"nonce":0,"hash":"0"}\n',
        b'{"index":null,"step":0,"time":"","previous":"","trades":[],"nonce":0,"hash":"0"}\n',
        b'{"index":0,"step":0,"time":"\\ud800","previous":"","trades":[],"nonce":0,"hash":"0"}\n',
    ],
)
def test_an_unreadable_line_is_reported_in_its_place(ledger, line):
    folder, lines = ledger
    where, what = detect(folder, [*lines[:3], line, *lines[4:]])
    assert where.startswith("line 4, block 2")
    assert "was changed" in what
    assert detect(folder, [line, *lines[1:]])[0] == "line 1, header"


def test_no_number_is_written_as_minus_zero(tmp_path):
    write_ledger(frame([(0, "a", "b", -1e-9, -0.0, -1e-12)]), tmp_path / FILE_NAME)
    assert b'["a","b",0.000000,0.00000000,0.00000000]' in (tmp_path / FILE_NAME).read_bytes()


def test_times_of_another_zone_are_written_in_utc(tmp_path):
    trades = street()
    local = trades.assign(time=trades["time"].dt.tz_convert("Europe/Brussels"))
    naive = trades.assign(time=trades["time"].dt.tz_localize(None))
    hashes = {write_ledger(table, tmp_path / FILE_NAME) for table in (trades, local, naive)}
    assert len(hashes) == 1


def test_a_path_without_ledger_is_an_error_with_a_fix(ledger, tmp_path):
    folder, lines = ledger
    with pytest.raises(InputError, match="absent: the path does not exist"):
        verify_ledger(tmp_path / "absent")
    with pytest.raises(InputError, match=f"holds no {FILE_NAME}"):
        verify_ledger(tmp_path)
    for name in ("pool", "auction"):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE_NAME).write_bytes(b"".join(lines))
    with pytest.raises(
        InputError, match="one ledger per mechanism. Name one: .*auction, .*pool"
    ) as error:
        verify_ledger(tmp_path)
    assert error.value.where == str(tmp_path)
    assert verify_ledger(tmp_path / "pool") == verify_ledger(folder)
    (tmp_path / "kpis.json").write_text("{}\n")
    with pytest.raises(InputError, match="no header of a ledger"):
        verify_ledger(tmp_path / "kpis.json")


@pytest.mark.parametrize("difficulty", [-1, 6, 0.5])
def test_a_difficulty_out_of_range_is_an_error(tmp_path, difficulty):
    with pytest.raises(InputError, match="from 0 to 5"):
        write_ledger(street(), tmp_path / FILE_NAME, difficulty)
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("difficulty", [0, 2, 3])
def test_difficulty_is_the_number_of_leading_zeros(tmp_path, difficulty):
    assert write_ledger(street(2), tmp_path / FILE_NAME, difficulty).startswith("0" * difficulty)
    verify_ledger(tmp_path)


def test_unordered_or_infinite_trades_are_an_error(tmp_path):
    with pytest.raises(InputError, match="order"):
        write_ledger(street().iloc[::-1], tmp_path / FILE_NAME)
    for value in (np.nan, np.inf):
        with pytest.raises(InputError, match="not finite"):
            write_ledger(street().assign(buyer_price=value), tmp_path / FILE_NAME)


def test_a_partially_written_ledger_is_invalid(tmp_path):
    trades = street().astype({"seller": object})
    trades.loc[20, "seller"] = "\ud800"  # cannot be written as UTF-8
    with pytest.raises(ValueError):
        write_ledger(trades, tmp_path / FILE_NAME)
    with pytest.raises(InputError, match="line 1, header"):
        verify_ledger(tmp_path)


@pytest.mark.slow
def test_a_year_of_quarter_hours_takes_seconds(tmp_path):
    trades = street(14_000, 5)
    began = time.perf_counter()
    write_ledger(trades, tmp_path / FILE_NAME)
    written = time.perf_counter()
    assert verify_ledger(tmp_path).trades == 70_000
    assert written - began < 4
    assert time.perf_counter() - written < 2
