# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where bytes come from over HTTP: the Hub resolves a file of a commit to an address, often signed and short-lived."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import parse_qs, urlsplit

from .._base.clock import Clock
from .._base.names import clean, shown
from .._plan.plan import Fetch
from .body import Body, BrokenError, ClosedError, FetchError, WrongError
from .http import NETWORK_ERRORS, Haste, Http, discard, moved_to, origin, origin_name, reason
from .hub import CLOSED, REDIRECTS, check_same_repo
from .origin import Origin
from .xet import Xet, XetError, XetFile, xet_file

_BLOCK = 1 << 18
_MAX_REDIRECTS = 5
#: Attempts that bring no byte further before a fetch is given up.
_FRUITLESS = 4
#: A body that brings less than so many bytes in so many seconds is dropped: a drip never runs into a socket's timeout.
_STALL_BYTES, _STALL_SECONDS = 32 << 10, 30.0
#: Seconds before its end at which a signed address is not used any more.
_MARGIN = 30
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


class RangesIgnoredError(FetchError):
    """The server sends whole files only."""


@dataclass(frozen=True)
class Address:
    """Where the bytes are: a URL, and whether the Hub's own headers go there. ``expires`` is a wall time or None."""

    url: str
    at_hub: bool
    expires: float | None


class Source:
    """An origin's files, over HTTP or, with ``xet``, out of Xet where they are there. ``received`` counts bytes."""

    def __init__(self, origin: Origin, clock: Clock, xet: Xet | None = None) -> None:
        self.origin, self.clock, self._xet = origin, clock, xet
        self._lock = threading.Lock()
        self.received = 0
        self.warnings: list[str] = []
        #: A file in LFS whose hash the origin did not tell before its bytes.
        self.untold: Fetch | None = None

    @property
    def name(self) -> str:
        """Return what the origin is called."""
        return self.origin.endpoint

    def body(self, action: Fetch, plain: bool = False, haste: Haste = Haste.NONE) -> Body:
        """Return the bytes of a file, not asked for yet; over HTTP alone where they are to be ``plain``.

        Who is in ``haste`` has another origin to ask.
        """
        over_http = HttpBody(self, action, self.origin.http.hasty(haste))
        if self._xet and action.file.sha256 and not plain:
            found = xet_file(over_http.headers(), action.file.size, self.origin.endpoint)
            if found:
                return XetBody(self, self._xet, found, self.origin.headers(action.token), over_http)
        return over_http

    def warn(self, warning: str) -> None:
        """Keep what a person should know although nothing failed, once."""
        with self._lock:
            if warning not in self.warnings:
                self.warnings.append(warning)

    def close(self) -> None:
        """End what is still under way."""
        if self._xet:
            self._xet.close()

    def count(self, block: int) -> None:
        """Account for bytes that came in."""
        self.origin.http.count(block)
        with self._lock:
            self.received += block


class XetBody(Body):
    """One file out of Xet; where that gives out, the rest over HTTP: the Hub's bridge has the same bytes."""

    has_ranges = False

    def __init__(self, source: Source, xet: Xet, file: XetFile, headers: dict[str, str], rest: Body) -> None:
        self._source, self._xet, self._file, self._headers, self._rest = source, xet, file, headers, rest

    def segment(self, start: int, end: int, block: memoryview, unwanted: Callable[[], bool]) -> None:
        """Xet gives streams only."""
        raise NotImplementedError

    def stream(self, start: int) -> Generator[bytes, None, None]:
        """Yield what is missing."""
        position = start
        try:
            for block in self._xet.stream(self._file, start, self._headers):
                position += len(block)
                self._source.count(len(block))
                yield block
        except XetError as problem:
            self._source.warn(f"{problem.cause}; the rest came over HTTP")
            yield from self._rest.stream(position)


class HttpBody(Body):
    """One file of one commit."""

    def __init__(self, source: Source, action: Fetch, http: Http) -> None:
        self._source, self._origin, self._http = source, source.origin, http
        self._action, self._size = action, action.file.size
        self._name = f"{action.path} of {action.repo}@{action.commit[:12]}"
        self._address: Address | None = None
        self._locating = threading.Lock()

    def _url(self) -> str:
        return self._origin.url_of(self._action)

    def headers(self) -> Any:
        """Return what the Hub says about the file before it sends anybody to its bytes."""
        headers = self._origin.headers(self._action.token)
        answer = self._http.open("HEAD", self._url(), headers, bucket="resolvers")
        discard(answer)
        return answer.headers

    def segment(self, start: int, end: int, block: memoryview, unwanted: Callable[[], bool]) -> None:
        """Take a range."""
        at = 0
        with contextlib.closing(self._receive(start, end, ranges=True)) as pieces:
            for piece in pieces:
                if unwanted():
                    raise FetchError(f"{self._name}: not wanted any more")
                block[at : at + len(piece)] = piece
                at += len(piece)

    def stream(self, start: int) -> Generator[bytes, None, None]:
        """Yield what is missing."""
        # whole files are asked for without Range: every server can do that
        return self._receive(start, self._size, ranges=start > 0)

    def _receive(self, start: int, end: int, ranges: bool) -> Generator[bytes, None, None]:
        """Yield the bytes of a range, asking again for what a broken answer left out."""
        fruitless, problem = 0, _TryAgainError("")
        position = start
        while position < end:
            before = position
            try:
                answer, where = self._ask(position, end, ranges or position > start)
                for block in self._read(answer, end - position):
                    position += len(block)
                    yield block
                problem = _TryAgainError(
                    f"the body ended after {position} of {end} bytes", f"{where} ends bodies early"
                )
            except _TryAgainError as again:
                problem = again
            except NETWORK_ERRORS as error:
                problem = _TryAgainError(reason(error), f"connections break off ({type(error).__name__})")
            fruitless = 0 if position > before else fruitless + 1
            if fruitless >= _FRUITLESS:
                raise problem.error(
                    f"{self._name} can't be fetched: {problem}", f"files can't be fetched: {problem.cause}"
                )
            if position < end:
                self._source.clock.check()

    def _read(self, answer: Any, wanted: int) -> Iterator[bytes]:
        """Yield a body as it arrives, but no more than is wanted, and not for ever."""
        clock = self._source.clock
        try:
            since, came = clock.monotonic(), 0
            while wanted:
                block = answer.read1(min(_BLOCK, wanted), decode_content=False)
                if not block:
                    return
                clock.check()
                wanted -= len(block)
                came += len(block)
                self._source.count(len(block))
                yield block
                if clock.monotonic() - since > _STALL_SECONDS:
                    if came < _STALL_BYTES:
                        raise _TryAgainError(
                            f"only {came} bytes came in {_STALL_SECONDS:.0f} seconds", "the bytes come too slowly"
                        )
                    since, came = clock.monotonic(), 0
            # the end must be read, too: only then can the connection be used again
            if answer.read1(1, decode_content=False):
                raise _TryAgainError("more bytes came than were requested")
            answer.release_conn()
        finally:
            answer.close() if not answer.closed else None

    def _ask(self, start: int, end: int, ranges: bool) -> tuple[Any, str]:
        """Send the request for a range; return an answer that is about to bring just that, and who gives it."""
        span = {"Range": f"bytes={start}-{end - 1}"} if ranges else {}
        address, answer = self._located(), None
        if not address:
            with self._locating:
                # who waited for the lock finds what the first one was told
                address = self._address
                if not address:
                    address, answer = self._resolve(span)
        if answer is None:
            answer = self._get(address, span)
        where = self._origin.endpoint if address.at_hub else origin_name(address.url)
        if answer.status in (401, 403, 404, 410) and not address.at_hub:
            # signed addresses end, and are refused for other reasons too: ask the Hub for a new one
            self._address = None
            raise _refusal(where, answer)
        self._check_range(answer, where, start, end, ranges)
        return answer, where

    def _located(self) -> Address | None:
        address = self._address
        if address and address.expires and address.expires - _MARGIN < self._source.clock.now():
            self._address = address = None
        return address

    def _get(self, address: Address, span: dict[str, str]) -> Any:
        headers = self._origin.headers(self._action.token) if address.at_hub else {"User-Agent": "hf-mirror"}
        return self._http.open("GET", address.url, {**headers, "Accept-Encoding": "identity", **span})

    def _resolve(self, span: dict[str, str]) -> tuple[Address, Any]:
        """Ask the Hub for the file, check that it means the planned content, and follow it to the bytes.

        The token stays at the Hub's own origin. What the last hop answers is the body already.
        """
        action, told = self._action, False
        url = hub_url = self._url()
        for hop in range(_MAX_REDIRECTS):
            at_hub = origin(url) == origin(hub_url)
            headers = self._origin.headers(action.token) if at_hub else {"User-Agent": "hf-mirror"}
            headers = {**headers, "Accept-Encoding": "identity", **span}
            answer = self._http.open("GET", url, headers, bucket="resolvers" if at_hub and not hop else None)
            if at_hub:
                self._check_hub(answer)
            told = told or action.file.etag in (_etag(answer, "X-Linked-Etag"), _etag(answer, "ETag"))
            if answer.status not in REDIRECTS or not self._origin.redirects:
                if action.file.sha256 and not told:
                    self._source.untold = action
                self._address = address = Address(url, at_hub, _expiry(url))
                return address, answer
            discard(answer)
            if at_hub:
                check_same_repo(action.repo, url, answer)
            url = moved_to(url, answer)
        raise FetchError(f"{self._name}: more than {_MAX_REDIRECTS} redirects")

    def _check_hub(self, answer: Any) -> None:
        """Compare what the Hub's headers tell with the plan; it need not tell everything, the hash decides."""
        headers, file = answer.headers, self._action.file
        if answer.status in (401, 403):
            answer.close()
            raise (ClosedError if headers.get("X-Error-Code") == "GatedRepo" else FetchError)(
                f"{self._name} is refused ({answer.status}): gated or private, does the token open it?",
                cause=f"{self._origin.endpoint} refuses files of {self._action.repo} ({answer.status}): gated or"
                " private, does the token open it?",
            )
        if answer.status >= 400 and answer.status != 416:
            answer.close()
            code = clean(headers.get("X-Error-Code", "no reason given"))
            cause = f"{self._origin.endpoint} answers {answer.status} ({code})"
            kind = BrokenError if answer.status >= 500 else ClosedError if answer.status in CLOSED else FetchError
            raise kind(f"{self._name}: {cause}", cause)
        told = headers.get("X-Repo-Commit")
        etag = _etag(answer, "X-Linked-Etag")
        size = headers.get("X-Linked-Size")
        problem, wrong = None, None
        if told and told != self._action.commit:
            problem, wrong = f"the Hub answers for commit {shown(told)}", told
        elif etag and etag != file.etag:
            problem, wrong = f"the listing says {file.etag}, the file's headers say {shown(etag)}", etag
        elif size and size != str(file.size):
            problem, wrong = f"the listing says {file.size} bytes, the file's headers say {shown(size)}", size
        if problem:
            answer.close()
            raise WrongError(f"{self._name}: {problem}", told=wrong)

    def _check_range(self, answer: Any, where: str, start: int, end: int, ranges: bool) -> None:
        """See that the body is about to be just what was asked for. Never trust the status alone."""
        told = answer.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.fullmatch(told.strip())
        right = match is not None and tuple(map(int, match.groups())) == (start, end - 1, self._size)
        length = answer.headers.get("Content-Length", str(self._size))
        # some servers send 200 with the range that was asked for
        if (right and answer.status in (200, 206)) if ranges else (answer.status == 200 and length == str(self._size)):
            return
        if answer.status >= 400:
            raise _refusal(where, answer)
        answer.close()
        if ranges and answer.status == 200 and not told:
            raise RangesIgnoredError(f"{self._name}: {where} does not support range requests")
        if ranges:
            raise _TryAgainError(
                f"bytes {start}-{end - 1}/{self._size} were requested, {clean(told) or 'no range'} offered",
                f"{where} does not send the requested ranges",
            )
        raise _TryAgainError(
            f"{clean(length)} bytes are announced, the listing says {self._size}",
            f"{where} announces other sizes than the listing",
            lambda text, cause: WrongError(text, cause, told=length),
        )


class _TryAgainError(Exception):
    """An answer was no good, another one may be. ``cause`` is equal for all files that have it.

    ``error`` makes what is raised where no other one is.
    """

    def __init__(
        self, text: str, cause: str | None = None, error: Callable[[str, str], FetchError] = BrokenError
    ) -> None:
        super().__init__(text)
        self.cause, self.error = cause or text, error


def _refusal(where: str, answer: Any) -> _TryAgainError:
    """Return what to say of an answer that refuses; its words may differ from file to file."""
    told = f"{where} answers {answer.status}"
    return _TryAgainError(f"{told} {_first_line(answer)}".rstrip(), told)


def _first_line(answer: Any) -> str:
    try:
        text: str = answer.read1(300, decode_content=False).decode("utf-8", "replace")
    except NETWORK_ERRORS:
        text = ""
    answer.close()
    return clean(text.strip().partition("\n")[0])


def _etag(answer: Any, header: str) -> str:
    etag: str = answer.headers.get(header, "")
    return etag[2:].strip('"') if etag.startswith("W/") else etag.strip('"')


def _expiry(url: str) -> float | None:
    """Return the wall time at which a signed address ends (CloudFront's Expires)."""
    told = parse_qs(urlsplit(url).query).get("Expires", [""])[0]
    return float(told) if told.isdecimal() else None
