# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the benchmarks and write docs/benchmarks.md and its plot: ``python -m bench``, which ``make bench`` does.

All figures come from one run on one machine; what counts are the ratios.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import report, server
from bench.contenders import Downloads
from bench.measure import Measured, machine, series
from bench.recipes import FIFTY, LARGE, MANY, TWENTY, drafts, many
from bench.store import ManyLinks
from bench.store_scrub import LargeContents
from hub.contents import build
from hub.process import HubProcess
from hub.repos import Library

TOP = Path(__file__).parents[2]
NGINX = TOP / ".cache" / "nginx" / "usr" / "sbin" / "nginx"
LATENCY = 0.02


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs (default: %(default)s)")
    parser.add_argument("--full", action="store_true", help=f"serve {server.FULL_SIZE:,} repositories, too")
    parser.add_argument("--docs", type=Path, default=TOP / "docs", help="where to write (default: %(default)s)")
    options = parser.parse_args()
    contents = TOP / ".cache" / "bench-contents"
    print("building contents: 3 GB, the first time a minute")
    build(contents, small=True, extra=drafts())
    with tempfile.TemporaryDirectory(dir=TOP / ".cache") as scratch:
        results = cold(contents, Path(scratch), options.rounds)
        results |= unchanged(contents, Path(scratch), options.rounds)
        changed = one_of_fifty(contents, Path(scratch))
        print("a store of 100,000 links: status, fsck, collection")
        store = ManyLinks(Path(scratch)).measure(options.rounds)
        print("scrub: 2 GB")
        reads = LargeContents(Path(scratch)).measure(options.rounds)
        serving = server.measure(Path(scratch), contents, options.rounds, options.full)
    report.write(options.docs, machine(), options.rounds, results, changed, store, reads, serving)
    print(f"wrote {options.docs}/benchmarks.md")


def cold(contents: Path, scratch: Path, rounds: int) -> dict[str, dict[str, list[Measured]]]:
    """Nothing is there yet: one large file, many small ones, many repositories."""
    results = {}
    library = Library(contents)
    with HubProcess(contents, nginx=NGINX) as hub:
        for title, repos in (("one file of 2 GB", LARGE), ("200 small files", MANY), ("20 repositories", TWENTY)):
            print(f"cold: {title}")
            downloads = Downloads(hub.url, repos, scratch / "cold")
            results[title] = series(
                rounds,
                {
                    "hf-mirror": downloads.engine,
                    "huggingface_hub": downloads.huggingface_hub,
                    "aria2": lambda downloads=downloads: downloads.aria2(library),  # type: ignore[misc]
                },
            )
    return results


def unchanged(contents: Path, scratch: Path, rounds: int) -> dict[str, dict[str, list[Measured]]]:
    """500 repositories of 20 files are there, and the Hub is 20 ms away."""
    print("nothing changed: 500 repositories of 20 files")
    with HubProcess(contents, nginx=NGINX) as hub:
        repos = many(hub, 500)
        downloads = Downloads(hub.url, repos, scratch / "unchanged")
        downloads.engine()
        downloads.huggingface_hub()
        hub.control("latency", {"seconds": LATENCY})
        before = sum(hub.control("requests")["counts"].values())
        downloads.engine_again()
        asked = sum(hub.control("requests")["counts"].values()) - before
        print(f"{asked} requests")
        title = f"nothing changed, 500 repositories ({asked} requests)"
        contenders = {"hf-mirror": downloads.engine_again, "huggingface_hub": downloads.huggingface_hub_again}
        return {title: series(rounds, contenders)}


def one_of_fifty(contents: Path, scratch: Path) -> dict[str, int]:
    """One of 50 files changes: return the bytes that came, by contender, and under ``changed`` what had to."""
    print("a new commit: 1 of 50 files changed")
    came = {}
    with HubProcess(contents, nginx=NGINX) as hub:
        for name in ("hf-mirror", "huggingface_hub"):
            hub.control("reset", {})
            downloads = Downloads(hub.url, FIFTY, scratch / "fifty")
            cold, again = {
                "hf-mirror": (downloads.engine, downloads.engine_again),
                "huggingface_hub": (downloads.huggingface_hub, downloads.huggingface_hub_again),
            }[name]
            hub.control("move", {"repo_id": FIFTY[0], "commit": 0})
            cold()
            hub.control("move", {"repo_id": FIFTY[0], "commit": 1})
            known = len(hub.control("requests")["last"])
            again()
            came[name] = sum(entry["body_bytes"] for entry in hub.control("requests")["last"][known:])
    first, second = Library(contents).repo("model", FIFTY[0]).commits[:2]
    came["changed"] = sum(file.size for path, file in second.files.items() if first.files.get(path) != file)
    return came


if __name__ == "__main__":
    main()
