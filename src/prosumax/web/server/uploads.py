"""Visitors' files: one route of our own, since a limit that only the browser keeps is none.

A file is read in chunks and dropped beyond 2 MB, checked in a worker process, and kept as numbers under a random token
for an hour at most. Only the session that knows the token sees it.
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
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from prosumax.web.jobs.queue import Jobs, Refused
from prosumax.web.model.own_data import MOST_BYTES, OwnData, Refusal

_KEPT_S = 3600.0
_MOST_KEPT = 200
_PER_ADDRESS = 20  # files of an hour
_PATIENCE_S = 30.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


class Uploads:
    """The files of this server's visitors.

    Arguments:
        jobs: where files are checked.
        root: folder for them; a new one when absent.
    """

    def __init__(self, jobs: Jobs, root: Path | None = None) -> None:
        self._jobs = jobs
        self._root = root or Path(tempfile.mkdtemp(prefix="prosumax-uploads-"))
        self._kept: OrderedDict[str, tuple[float, OwnData]] = OrderedDict()
        self._times: dict[str, list[float]] = {}
        self.router = APIRouter()
        self.router.add_api_route("/api/upload", self.receive, methods=["POST"])

    def get(self, token: str) -> OwnData | None:
        """What a token stands for; None when there is no such file any more."""
        self._sweep()
        found = self._kept.get(token)
        return None if found is None else found[1]

    def folder(self, token: str) -> str | None:
        """Where the numbers of a file are, for a worker."""
        return None if self.get(token) is None else str(self._root / token)

    def delete(self, token: str) -> None:
        """Forget a file now."""
        if _TOKEN.fullmatch(token):
            self._kept.pop(token, None)
            shutil.rmtree(self._root / token, ignore_errors=True)

    def close(self) -> None:
        """Forget all files."""
        self._kept.clear()
        shutil.rmtree(self._root, ignore_errors=True)

    async def receive(self, request: Request) -> JSONResponse:
        """Take a file: its bytes are the body. Answers what was understood, or why it was refused.

        413 beyond the limit, 403 for a page of another site, 429 for too many, 422 for a file that is no meter data.
        """
        if int(request.headers.get("content-length") or 0) > MOST_BYTES:
            await _heard_out(request)
            return _refused(413, Refusal("too_big"))
        if not same_origin(request):
            return _refused(403, Refusal("other_site"))
        if not self._may(request):
            return _refused(429, Refusal("too_many"))
        token = secrets.token_urlsafe(16)
        folder = self._root / token
        folder.mkdir(parents=True)
        taken = False
        try:
            if not await _saved(request, folder / "sent.csv"):
                return _refused(413, Refusal("too_big"))
            answer = await self._checked(folder, token)
            if isinstance(answer, Refusal):
                return _refused(422, answer)
            taken = True
            for scratch in folder.glob("sent*"):
                scratch.unlink()
            self._kept[token] = (time.monotonic(), answer)
            self._sweep()
            return JSONResponse({"token": token, **asdict(answer)})
        except Refused:
            return _refused(503, Refusal("busy"))
        finally:
            if not taken:
                shutil.rmtree(folder, ignore_errors=True)

    async def _checked(self, folder: Path, token: str) -> OwnData | Refusal:
        job = self._jobs.submit(
            "quick", "upload", str(folder), owner=f"upload-{token}", private=True
        )
        end = time.monotonic() + _PATIENCE_S
        while (seen := self._jobs.see(job, f"upload-{token}")) is not None and not seen.over:
            if time.monotonic() > end:
                self._jobs.stop(job, f"upload-{token}")
                return Refusal("busy")
            await asyncio.sleep(0.03)
        if seen is None or seen.state != "done":
            return Refusal("unreadable", said=(seen and seen.code) or "")
        answer: OwnData | Refusal = seen.result
        return answer

    def _may(self, request: Request) -> bool:
        address = request.client.host if request.client else ""
        now = time.monotonic()
        times = [at for at in self._times.get(address, ()) if now - at < _KEPT_S]
        self._times[address] = [*times, now]
        if len(self._times) > 10_000:
            self._times = {address: self._times[address]}
        return is_local(address) or len(times) < _PER_ADDRESS

    def _sweep(self) -> None:
        now = time.monotonic()
        while self._kept:
            token, (since, _) = next(iter(self._kept.items()))
            if now - since < _KEPT_S and len(self._kept) <= _MOST_KEPT:
                return
            self.delete(token)


async def _saved(request: Request, path: Path) -> bool:
    """Write the body as it comes; False, and an end, once there is too much."""
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MOST_BYTES:
                break
            file.write(chunk)
    if size > MOST_BYTES:
        await _heard_out(request)
    return size <= MOST_BYTES


async def _heard_out(request: Request) -> None:
    """Let a sender of too much come to an end, within bounds: one that is cut off never reads the answer."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > 5 * MOST_BYTES:
                    return


def same_origin(request: Request) -> bool:
    """Whether a request comes from a page of ours: browsers say so in headers that no page can set."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    # Programs that are no browsers send neither; no other page can make them do anything.
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def is_local(address: str) -> bool:
    """Whether a visitor sits at this machine (a proxy before the server must pass on whose request it is)."""
    return address in ("", "127.0.0.1", "::1", "testclient")


def counted_address(address: str | None) -> str | None:
    """The address that a visitor's jobs are counted by; None for this machine's own."""
    return None if address is None or is_local(address) else address


def _refused(status: int, refusal: Refusal) -> JSONResponse:
    content: dict[str, Any] = {"error": asdict(refusal)}
    return JSONResponse(content, status_code=status)
