# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a year: upstream, on the whitelist, to the clock, and what people decide. The same for one seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.ref_order import RefOrder

from year.model import Entry, Known, Model
from year.upstream import YearUpstream

_PATHS = ("model.bin", "weights/part-1.bin", "weights/part-2.bin", "config.json", "tokenizer/vocab.txt", "LICENSE")
_ILLNESSES = ("gone", "gated", "corrupt", "rewound", "rewound", "emptied")
#: Of 100 repositories so many get a commit on a day, fall ill, and may be on the whitelist but are not.
_CHANGE, _FALL_ILL, _SPARE = 6, 1, 10
#: A content that arrives wrong is asked for again after 1, 2, 4, 8 hours: that is always by the next day.
_LONGEST_ILLNESS = 4
_EXACT_EVERY, _KILLS_EVERY = 7, 5
#: Days on which half of the whitelist is missing, and must not take half of the store along.
_ACCIDENTS = (20, 200)
#: Day -> days by which the clock is wrong from then on.
_CLOCK = {
    9: 45,
    10: 0,
    17: -60,
    19: 0,
    30: 90,
    33: 0,
    110: -60,
    112: 0,
    170: 45,
    171: 0,
    230: -120,
    235: 0,
    300: 365,
    301: 0,
}


@dataclass
class Day:
    """A run. With ``max_delete`` the store is to have the whitelist's entries and nothing else."""

    whitelist: list[Entry]
    max_delete: str | None
    kills: int
    clock_error: float


class Story:
    """``count`` repositories are on the whitelist. It begins with as many commits as will be kept."""

    def __init__(self, upstream: YearUpstream, count: int, seed: int) -> None:
        self._random = Random(seed)
        self._upstream, self._count = upstream, count
        self._shared = [self._noise() for _file in range(30)]
        total = count + max(count * _SPARE // 100, 2)
        self._all = [Repo(("model", "dataset")[n % 7 == 0], f"org-{n % 20:02}/repo-{n:03}") for n in range(total)]
        self._listed = {repo: self._entry(repo) for repo in self._all[:count]}
        self._ill: dict[Repo, tuple[str, int]] = {}
        self._clock_error = 0.0
        for repo in self._all:
            paths = self._random.sample(_PATHS, self._random.randint(3, len(_PATHS)))
            self._upstream.commit(repo, {path: self._content() for path in paths} | {"README.md": self._noise()})

    def _entry(self, repo: Repo) -> Entry:
        number = self._all.index(repo)
        return Entry(repo, self._random.choice((2, 3)), is_manual=number % 11 == 3, allow_rewind=number % 13 == 5)

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.choice((100, 300, 800, 2000, 4000)) + self._random.randrange(100))

    def _content(self) -> bytes:
        return self._random.choice(self._shared) if self._random.random() < 0.15 else self._noise()

    def _some(self, percent: float, among: int) -> int:
        """Return how many of so many it is today, on the average ``percent``."""
        mean = among * percent / 100
        return int(mean) + (self._random.random() < mean - int(mean))

    # ---- days

    def warm_up(self) -> Day:
        """Return a day on which every repository gets a commit and nothing else happens."""
        for repo in self._all:
            self._change(repo)
        return Day(list(self._listed.values()), None, 0, 0.0)

    def day(self, number: int) -> Day:
        """Let a day pass and return the run that ends it."""
        self._recover(number)
        well = [repo for repo in self._all if repo not in self._ill]
        for repo in self._random.sample(well, self._some(_CHANGE, len(well))):
            self._change(repo)
        for repo in self._random.sample(well, self._some(_FALL_ILL, len(well))):
            self._fall_ill(repo, number)
        self._edit_whitelist()
        self._clock_error = _CLOCK.get(number, self._clock_error)
        whitelist = list(self._listed.values())
        kills = self._random.randint(2, 4) if number % _KILLS_EVERY == 3 else 0
        max_delete = None
        if number in _ACCIDENTS:
            return Day(whitelist[::2], "10%", 0, self._clock_error)
        if number % _EXACT_EVERY == 0:
            # what a killed run removed or fetched changes the shares, but not a number
            max_delete = str(max(self._count // 10, 1)) if kills else "10%"
        return Day(whitelist, max_delete, kills, self._clock_error)

    def _edit_whitelist(self) -> None:
        if self._random.random() < min(0.5, self._count / 150):
            del self._listed[self._random.choice(list(self._listed))]
        if len(self._listed) < self._count and self._random.random() < 0.7:
            repo = self._random.choice([one for one in self._all if one not in self._listed])
            self._listed[repo] = self._entry(repo)

    # ---- upstream

    def _change(self, repo: Repo) -> None:
        files = self._upstream.files(repo)
        for path in self._random.sample(sorted(files), min(self._random.randint(1, 2), len(files))):
            what = self._random.random()
            content = files.pop(path)
            if what < 0.05:
                files[f"renamed/{self._random.randrange(100)}.bin"] = content
            elif what > 0.1 or len(files) < 3:
                files[path] = self._content()
        if len(files) < len(_PATHS) and self._random.random() < 0.1:
            files[self._random.choice(_PATHS)] = self._content()
        self._upstream.commit(repo, files)

    def _fall_ill(self, repo: Repo, day: int) -> None:
        there = self._upstream.repos[repo]
        what = self._random.choice(_ILLNESSES)
        if what == "gone":
            there.gone = True
        elif what == "gated":
            there.gated = True
        elif what == "corrupt":
            content = self._noise()
            self._upstream.flipped.add(content)
            self._upstream.commit(repo, {**self._upstream.files(repo), "model.bin": content, "new.txt": self._noise()})
        elif what == "rewound":
            there.refs["main"] = self._random.choice(list(there.commits))
        else:
            self._upstream.commit(repo, {"README.md": b"moved away"})
        self._ill[repo] = (what, day + self._random.randint(1, _LONGEST_ILLNESS))

    def _recover(self, day: int) -> None:
        for repo in [one for one, (_what, until) in self._ill.items() if until <= day]:
            what, _until = self._ill.pop(repo)
            there = self._upstream.repos[repo]
            there.gone = there.gated = False
            if what == "corrupt":
                self._upstream.flipped -= set(self._upstream.files(repo).values())
            elif what == "rewound":
                there.refs["main"] = list(there.commits)[-1]
            elif what == "emptied":
                self._upstream.commit(repo, there.commits[list(there.commits)[-2]])

    # ---- people

    def decisions(self, model: Model) -> list[RefOrder]:
        """Return what people decide on a day, and let the model know."""
        waiting = [repo for repo, known in model.repos.items() if known.pending and self._random.random() < 0.3]
        orders = [self._promote(repo, model.repos[repo]) for repo in waiting]
        for verb in ("rollback", "pin", "unpin", "freeze", "unfreeze"):
            if self._random.random() < 0.4:
                orders += self._decide(verb, model)
        return orders

    def _promote(self, repo: Repo, known: Known) -> RefOrder:
        assert known.pending
        known.name(known.pending)
        return RefOrder("promote", repo, "main")

    def _decide(self, verb: str, model: Model) -> list[RefOrder]:
        """Choose a repository that this can be done with."""
        fits: Callable[[Known], object] = {
            "rollback": lambda known: known.earlier and known.ref,
            "pin": lambda known: known.sealed.keys() - known.pins,
            "unpin": lambda known: known.pins,
            "freeze": lambda known: known.ref and not known.is_frozen,
            "unfreeze": lambda known: known.is_frozen,
        }[verb]
        among = [repo for repo, known in model.repos.items() if fits(known)]
        if not among:
            return []
        repo = self._random.choice(among)
        known, revision = model.repos[repo], "main"
        if verb == "rollback":
            known.name(known.earlier[0], is_rollback=True)
        elif verb == "pin":
            revision = self._random.choice(sorted(known.sealed.keys() - known.pins))
            known.pins.add(revision)
        elif verb == "unpin":
            revision = self._random.choice(sorted(known.pins))
            known.pins.discard(revision)
        else:
            known.is_frozen = verb == "freeze"
        return [RefOrder(verb, repo, revision)]
