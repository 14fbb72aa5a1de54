# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a model into onnxruntime from the Hub, through the mirror and from the disk: ``python -m bench.loading``.

It writes docs/loading.md and its plot; ``make bench`` does so, too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clients.facefusion_curl import download, fits, head, size
from mirror_server import Server
from onnxruntime import InferenceSession

from bench import model, report_loading
from bench.contenders import BIN
from bench.loads import DIRECT, Loading, Loads, hits, loads_of
from bench.measure import machine
from hub.contents import build
from hub.drafts import Draft
from hub.faults import Target, Unsteady
from hub.process import HubProcess

TOP = Path(__file__).parents[2]
REPO, MODEL, HASH = "bench/face-embedding", "face_embedding.onnx", "face_embedding.hash"
#: Direct loads wait for almost all of their time: so many do at once.
CLIENTS = 128
SEED = 1


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.loading", description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=int, default=2000, help="loads each way (default: %(default)s)")
    parser.add_argument("--docs", type=Path, default=TOP / "docs", help="where to write (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=TOP / ".cache") as scratch:
        found = measure(Path(scratch), options.loads)
    report_loading.write(options.docs, machine(), found)
    print(f"wrote {options.docs}/loading.md")


def measure(scratch: Path, loads: int) -> Loading:
    """Measure all ways, so many loads each."""
    content = model.build()
    pair = {MODEL: content, HASH: f"{zlib.crc32(content):08x}".encode()}
    build(scratch / "contents", small=True, extra=[Draft(REPO, [("Upload", {**pair})])])
    with HubProcess(scratch / "contents") as hub:
        sync(hub, scratch)
        hub.control("unsteady", {"repo_id": REPO, "path": MODEL, "seed": SEED, **DIRECT})
        print(f"{loads:,} loads from the Hub, by {CLIENTS} clients")
        direct = from_hub(hub, scratch, loads)
        print(f"{loads:,} loads through the mirror, and of what is placed")
        before = asked(hub)
        mirror, placed, log = from_mirror(hub, scratch, loads)
        upstream = asked(hub) - before
    same = Unsteady(Target(), None, seed=SEED, **DIRECT)
    drawn = [same.draw() for _load in range(loads)]
    waits, spoiled = sum(seconds for seconds, _end in drawn), sum(end != "whole" for _seconds, end in drawn)
    requests, answered = hits(log)
    return Loading(len(content), CLIENTS, direct, mirror, placed, waits, spoiled, requests, answered, upstream)


def from_hub(hub: HubProcess, scratch: Path, loads: int) -> Loads:
    """Load from the stand-in Hub, by many clients at once."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        return loads_of(clients.map(lambda _load: into_empty_folder(hub.url, scratch), range(loads)))


def sync(hub: HubProcess, scratch: Path) -> None:
    """Fill a store as a mirror does."""
    whitelist = scratch / "whitelist.yml"
    whitelist.write_text(json.dumps({"models_to_sync": [{"repo_id": REPO}]}), encoding="utf-8")
    options: list[str | Path] = ["--store", scratch / "store", "--endpoint", hub.url, "--config", whitelist]
    subprocess.run([BIN / "hf-mirror", *options, "sync"], check=True, stdout=subprocess.DEVNULL)


def from_mirror(hub: HubProcess, scratch: Path, loads: int) -> tuple[Loads, Loads, list[str]]:
    """Load through a mirror and, in turn, what is placed beforehand. Return both, and the mirror's access log."""
    fallback = {"mirror_nginx_fallback_repos": [REPO], "mirror_nginx_fallback_endpoint": hub.url}
    server = Server(scratch / "store", scratch / "nginx", **fallback)
    placed = scratch / "placed"
    placed.mkdir()
    mirrored, lying = [], []
    try:
        fetch(server.url, placed)
        for _load in range(loads):
            mirrored.append(into_empty_folder(server.url, scratch))
            lying.append(timed(lambda: load(placed)))
    finally:
        server.stop()
    return loads_of(mirrored), loads_of(lying), server.accesses()


def into_empty_folder(endpoint: str, scratch: Path) -> tuple[float, bool]:
    """Fetch the pair and load it: return the seconds, and whether it ended well."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        return timed(lambda: fetch(endpoint, folder) and load(folder))
    finally:
        shutil.rmtree(folder)


def timed(load: Callable[[], bool]) -> tuple[float, bool]:
    """Return the seconds of a load, and whether it ended well."""
    start = time.perf_counter()
    ended_well = load()
    return time.perf_counter() - start, ended_well


def fetch(endpoint: str, folder: Path) -> bool:
    """Get the pair as FaceFusion does, and tell whether curl was content with what came."""
    try:
        head(f"{endpoint}/")
        for name in (HASH, MODEL):
            url = f"{endpoint}/{REPO}/resolve/main/{name}"
            size(url)
            download(url, folder / name)
    except subprocess.CalledProcessError:
        return False
    return True


def load(folder: Path) -> bool:
    """Check the pair and load it as FaceFusion does, and tell whether it was valid."""
    # an error without a body leaves no file
    if not (folder / HASH).exists() or not (folder / MODEL).exists() or not fits(folder / MODEL):
        return False
    InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
    return True


def asked(hub: HubProcess) -> int:
    """Return how many requests the stand-in Hub got so far."""
    return sum(hub.control("requests")["counts"].values())


if __name__ == "__main__":
    main()
