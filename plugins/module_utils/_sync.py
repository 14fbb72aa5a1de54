# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: gather facts, plan, and execute what the plan says. One repository's failure never stops the others."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any, Callable

from ._errors import MirrorError
from ._facts import Listing, Repo
from ._fetch import Fetcher
from ._hub import Hub
from ._plan import Fetch, RepoPlan, Upstream, plan_repo, plan_views
from ._store import Store
from ._whitelist import Wanted


@dataclass
class Plan:
    """What a run would do; ``upstream`` is what the Hub answered for each entry."""

    repos: list[RepoPlan]
    views: dict[str, dict[str, str]] = field(default_factory=dict)
    upstream: dict[Wanted, Upstream] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """True when there is anything to do."""
        return bool(self.views) or any(repo.changes for repo in self.repos)

    @property
    def fetches(self) -> dict[str, Fetch]:
        """What is to be fetched, each content once however many repositories have it."""
        return {fetch.file.etag: fetch for repo in self.repos for fetch in repo.fetches}


class Sync:
    """One run over a whitelist."""

    def __init__(self, store: Store, hub: Hub, wanted: list[Wanted], workers: int) -> None:
        self._store, self._hub, self._wanted, self._workers = store, hub, wanted, workers

    def plan(self) -> Plan:
        """Ask the Hub and the store, and say what is to be done. Writes nothing."""
        with ThreadPoolExecutor(self._workers) as pool:
            upstream = dict(zip(self._wanted, pool.map(self._ask, self._wanted)))
        plan = Plan([], upstream=upstream)
        for repo in dict.fromkeys(_repo(wanted) for wanted in self._wanted):
            answers = {wanted: upstream[wanted] for wanted in self._wanted if _repo(wanted) == repo}
            etags = {f.etag for a in answers.values() if isinstance(a, Listing) for f in a.files.values()}
            plan.repos.append(
                plan_repo(repo, answers, self._store.facts(repo), (etag for etag in etags if self._store.has(etag)))
            )
        for repo_plan in plan.repos:
            plan.failures.update({str(wanted): text for wanted, text in repo_plan.failures.items()})
        plan.views = self._changed_views(plan, done=False)
        return plan

    def execute(self, plan: Plan) -> int:
        """Do what the plan says and return the bytes that were received. What fails is added to ``plan.failures``."""
        for repo in plan.repos:
            self._store.recover(repo.repo)
        fetcher = Fetcher(self._hub, self._workers)
        one_at_a_time = {etag: threading.Lock() for etag in plan.fetches}

        def fetch(action: Fetch) -> None:
            etag = action.file.etag
            with one_at_a_time[etag]:
                if not self._store.has(etag):
                    part = self._store.part(etag)
                    fetcher.fetch(action.repo, action.commit, action.path, action.file, part)
                    self._store.adopt(part, etag)

        with ThreadPoolExecutor(self._workers) as pool:
            jobs = {pool.submit(fetch, action): repo for repo in plan.repos for action in repo.fetches}
            open_jobs = {id(repo): len(repo.fetches) for repo in plan.repos}
            problems: dict[int, list[str]] = {id(repo): [] for repo in plan.repos}
            for repo in plan.repos:
                if not repo.fetches:
                    self._finish(repo, [], plan)
            for job in as_completed(jobs):
                repo = jobs[job]
                problems[id(repo)] += _problem(job)
                open_jobs[id(repo)] -= 1
                if not open_jobs[id(repo)]:
                    self._finish(repo, problems[id(repo)], plan)
        for name, files in self._changed_views(plan, done=True).items():
            self._store.set_view(name, files)
        return fetcher.fetched

    def _ask(self, wanted: Wanted) -> Upstream:
        repo = _repo(wanted)
        try:
            if wanted.is_commit:
                known = self._store.upstream(repo, wanted.revision)
                if known:
                    return known
            commit, card = self._hub.info(repo, wanted.revision)
            return self._store.upstream(repo, commit) or self._hub.listing(repo, commit, card)
        except MirrorError as problem:
            return problem

    def _finish(self, repo: RepoPlan, problems: list[str], plan: Plan) -> None:
        """Seal and publish one repository once its files are there, or note why not."""
        if not problems and repo.changes:
            problems = _problem_of(lambda: self._seal_and_publish(repo))
        if problems:
            plan.failures[str(repo.repo)] = "; ".join(problems)

    def _seal_and_publish(self, repo: RepoPlan) -> None:
        for seal in repo.seals:
            self._store.seal(seal.repo, seal.listing, seal.paths)
        for publish in repo.publishes:
            self._store.publish(publish.repo, publish.ref, publish.old, publish.new)

    def _changed_views(self, plan: Plan, done: bool) -> dict[str, dict[str, str]]:
        """Return the views that must change: for what is published (``done``), or for what the plan would publish."""
        published = {}
        for wanted, answer in plan.upstream.items():
            if not wanted.views:
                continue
            facts = self._store.facts(_repo(wanted))
            commit = wanted.revision if wanted.is_commit else facts.refs.get(wanted.revision)
            files = dict(facts.snapshots.get(commit or "", {}))
            if not done and isinstance(answer, Listing) and str(wanted) not in plan.failures:
                files = {path: file.etag for path, file in answer.files.items()}
            if files:
                selected = _selected(wanted, files)
                published[wanted] = {path: files[path] for path in selected}
        try:
            views = plan_views(published)
        except MirrorError as problem:
            plan.failures["views"] = str(problem)
            return {}
        return {name: files for name, files in views.items() if not self._store.has_view(name, files)}


def _selected(wanted: Wanted, paths: Iterable[str]) -> list[str]:
    available = list(paths)
    try:
        return wanted.select(available)
    except MirrorError:
        # not all of it could be had: a view shows what is published
        return [path for path in available if path in (wanted.files or ())]


def _repo(wanted: Wanted) -> Repo:
    return Repo(wanted.repo_type, wanted.repo_id)


def _problem(job: Future[None]) -> list[str]:
    return _problem_of(job.result)


def _problem_of(call: Callable[[], Any]) -> list[str]:
    try:
        call()
    except (MirrorError, OSError) as problem:
        return [str(problem)]
    return []
