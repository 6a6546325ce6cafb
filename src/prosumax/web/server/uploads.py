"""Upload route and store of visitors' meter files.

The server enforces the size limit itself, because a limit in the browser can be bypassed. A file is
read in chunks and rejected beyond 2 MB, checked in a worker process, and kept as numbers under a
random token for at most one hour. Only the session that knows the token can use it.
"""

import asyncio
import contextlib
import re
import secrets
import shutil
import tempfile
import time
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from prosumax.web.jobs.queue import JobQueue, JobRejectedError
from prosumax.web.model.own_data import MAX_BYTES, OwnData, Rejection

_RETENTION_S = 3600.0
_MAX_FILES = 200
_MAX_PER_ADDRESS = 20  # per hour
_MAX_ADDRESSES = 10_000
_TIMEOUT_S = 30.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


class UploadStore:
    """Store of the uploaded files of this server's visitors.

    Args:
        jobs: Queue in which files are checked.
        root: Folder of the files; a new temporary folder when None.
    """

    def __init__(self, jobs: JobQueue, root: Path | None = None) -> None:
        self._jobs = jobs
        self._root = root or Path(tempfile.mkdtemp(prefix="prosumax-uploads-"))
        self._files: OrderedDict[str, tuple[float, OwnData]] = OrderedDict()
        self._upload_times: dict[str, list[float]] = {}
        self.router = APIRouter()
        self.router.add_api_route("/api/upload", self.receive, methods=["POST"])

    def get(self, token: str) -> OwnData | None:
        """Return the description of a file, or None if it does not exist any more."""
        self._delete_expired()
        entry = self._files.get(token)
        return None if entry is None else entry[1]

    def folder(self, token: str) -> str | None:
        """Return the folder with the numbers of a file, or None if it does not exist any more."""
        return None if self.get(token) is None else str(self._root / token)

    def delete(self, token: str) -> None:
        """Delete a file."""
        if _TOKEN.fullmatch(token):
            self._files.pop(token, None)
            shutil.rmtree(self._root / token, ignore_errors=True)

    def close(self) -> None:
        """Delete all files."""
        self._files.clear()
        shutil.rmtree(self._root, ignore_errors=True)

    async def receive(self, request: Request) -> JSONResponse:
        """Receive a file as the body of a request.

        Args:
            request: HTTP request.

        Returns:
            A token with the description of the file, or an error: 413 for a file beyond the limit,
            403 for a page of another site, 429 for too many files, 422 for a file that is not
            meter data, 503 when the queue is full.
        """
        if int(request.headers.get("content-length") or 0) > MAX_BYTES:
            await _drain_body(request)
            return _rejected(413, Rejection("too_big"))
        if not is_same_origin(request):
            return _rejected(403, Rejection("other_site"))
        if not self._within_rate_limit(request):
            return _rejected(429, Rejection("too_many"))
        token = secrets.token_urlsafe(16)
        folder = self._root / token
        folder.mkdir(parents=True)
        accepted = False
        try:
            if not await _save_body(request, folder / "sent.csv"):
                return _rejected(413, Rejection("too_big"))
            answer = await self._check_file(folder, token)
            if isinstance(answer, Rejection):
                return _rejected(422, answer)
            accepted = True
            for scratch in folder.glob("sent*"):
                scratch.unlink()
            self._files[token] = (time.monotonic(), answer)
            self._delete_expired()
            return JSONResponse({"token": token, **asdict(answer)})
        except JobRejectedError:
            return _rejected(503, Rejection("busy"))
        finally:
            if not accepted:
                shutil.rmtree(folder, ignore_errors=True)

    async def _check_file(self, folder: Path, token: str) -> OwnData | Rejection:
        owner = f"upload-{token}"
        job = self._jobs.submit("quick", "upload", str(folder), owner=owner, private=True)
        deadline = time.monotonic() + _TIMEOUT_S
        while (status := self._jobs.status(job, owner)) is not None and not status.finished:
            if time.monotonic() > deadline:
                self._jobs.cancel(job, owner)
                return Rejection("busy")
            await asyncio.sleep(0.03)
        if status is None or status.state != "done":
            return Rejection("unreadable", message=(status and status.code) or "")
        return cast(OwnData | Rejection, status.result)

    def _within_rate_limit(self, request: Request) -> bool:
        address = request.client.host if request.client else ""
        now = time.monotonic()
        recent = [at for at in self._upload_times.get(address, ()) if now - at < _RETENTION_S]
        self._upload_times[address] = [*recent, now]
        if len(self._upload_times) > _MAX_ADDRESSES:
            self._upload_times = {address: self._upload_times[address]}
        return is_local_address(address) or len(recent) < _MAX_PER_ADDRESS

    def _delete_expired(self) -> None:
        now = time.monotonic()
        while self._files:
            token, (uploaded_at, _) = next(iter(self._files.items()))
            if now - uploaded_at < _RETENTION_S and len(self._files) <= _MAX_FILES:
                return
            self.delete(token)


async def _save_body(request: Request, path: Path) -> bool:
    """Write the body of a request to a file and return whether it is within the size limit."""
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BYTES:
                break
            file.write(chunk)
    if size > MAX_BYTES:
        await _drain_body(request)
    return size <= MAX_BYTES


async def _drain_body(request: Request) -> None:
    """Read the rest of a body, within limits: a client that is cut off cannot read the answer."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > 5 * MAX_BYTES:
                    return


def is_same_origin(request: Request) -> bool:
    """Return whether a request comes from a page of this server.

    Browsers state the origin in headers that pages cannot set.

    Args:
        request: HTTP request.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    # Clients other than browsers send neither header; no page of another site can control them.
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def is_local_address(address: str) -> bool:
    """Return whether an address is this machine.

    A proxy in front of the server must forward the address of the client.

    Args:
        address: Network address of a client.
    """
    return address in ("", "127.0.0.1", "::1", "testclient")


def rate_limit_address(address: str | None) -> str | None:
    """Return the address by which jobs are counted, or None for this machine.

    Args:
        address: Network address of a client.
    """
    return None if address is None or is_local_address(address) else address


def _rejected(status: int, rejection: Rejection) -> JSONResponse:
    content: dict[str, object] = {"error": asdict(rejection)}
    return JSONResponse(content, status_code=status)
