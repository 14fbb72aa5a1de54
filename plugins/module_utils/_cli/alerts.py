# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told when entries of the whitelist keep failing, and when they recover. Pure.

One message has it all, one paragraph for each cause, so that an outage of the Hub is not told 500 times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from .._base.errors import MirrorError
from .._store.ledger import RUN, RepoState

#: Bytes that title and body have together: what a WeCom group robot takes as text, the least of all receivers.
LIMIT = 2048
_SHOWN = 3  # names a cause
_NAME, _CAUSE = 120, 400  # bytes


@dataclass(frozen=True)
class Alert:
    """What is to be reported now. It is true when there is something."""

    failing: Mapping[str, RepoState]
    recovered: Mapping[str, RepoState]

    def __bool__(self) -> bool:
        return bool(self.failing or self.recovered)


@dataclass(frozen=True)
class _Words:
    """The texts of one language."""

    failing: str
    recovered: str
    title: str
    intro: str
    group: str
    names: str
    more_names: str
    more_groups: str
    reason: str
    success: str
    successes: str
    never: str
    some_never: str
    back: str
    look: str
    test_title: str
    test_body: str


_WORDS = {
    "en": _Words(
        failing="{count} failing",
        recovered="{count} recovered",
        title="hf-mirror on {host}: {what}",
        intro="{times} or more failures in a row. What is published stays served.",
        group="{count} entries: {names}",
        names=", ",
        more_names=" and {count} more",
        more_groups="and {count} more",
        reason="  {cause}",
        success="  last success: {time}",
        successes="  last success: {first} to {last}",
        never="never",
        some_never=", never for {count}",
        back="Recovered: {names}",
        look="Details on {host}: hf-mirror status, hf-mirror log",
        test_title="hf-mirror on {host}: test",
        test_body="A test: alerts of this mirror arrive here. Nothing has failed.",
    ),
    "zh": _Words(
        failing="{count} 项同步失败",
        recovered="{count} 项已恢复",
        title="{host} 上的 hf-mirror：{what}",
        intro="已连续失败至少 {times} 次。已发布的内容继续提供服务。",
        group="共 {count} 项：{names}",
        names="、",
        more_names=" 等，另有 {count} 项",
        more_groups="另有 {count} 项",
        reason="  原因：{cause}",
        success="  上次成功：{time}",
        successes="  上次成功：{first} 至 {last}",
        never="从未成功",
        some_never="，其中 {count} 项从未成功",
        back="已恢复：{names}",
        look="在 {host} 上查看详情：hf-mirror status、hf-mirror log",
        test_title="{host} 上的 hf-mirror：测试",
        test_body="这是一条测试消息：此镜像的告警会发送到这里。没有任何故障。",
    ),
}
LANGUAGES = tuple(_WORDS)


def due(states: Mapping[str, RepoState], threshold: int) -> Alert:
    """Return what has failed ``threshold`` times in a row, or recovered, and was not reported yet.

    A run that died is told at once: whatever it died of may keep each run from failing three times.
    """
    failing = {
        name: state
        for name, state in states.items()
        if state.failures >= (1 if name == RUN else threshold) and not state.alerted
    }
    recovered = {name: state for name, state in states.items() if state.alerted and not state.failures}
    return Alert(failing, recovered)


def message(alert: Alert, language: str, host: str) -> tuple[str, str]:
    """Return title and body, at most ``LIMIT`` bytes long together; ``host`` is where the mirror runs."""
    words = _words(language)
    what = []
    if alert.failing:
        what.append(words.failing.format(count=len(alert.failing)))
    if alert.recovered:
        what.append(words.recovered.format(count=len(alert.recovered)))
    title = words.title.format(host=_clip(host, _NAME), what=words.names.join(what))
    back = []
    if alert.recovered:
        back.append(words.back.format(names=_names(words, sorted(alert.recovered))))
    end = [*back, words.look.format(host=_clip(host, _NAME))]
    if not alert.failing:
        return title, "\n".join(end)

    times = min(state.failures for state in alert.failing.values())
    begin = [words.intro.format(times=times)]
    room = LIMIT - _size([title, *begin, *end])
    return title, "\n".join([*begin, *_paragraphs(words, alert.failing, room), *end])


def test_message(language: str, host: str) -> tuple[str, str]:
    """Return title and body of a message that only shows that messages arrive."""
    words = _words(language)
    body = "\n".join([words.test_body, words.look.format(host=_clip(host, _NAME))])
    return words.test_title.format(host=_clip(host, _NAME)), body


def _words(language: str) -> _Words:
    if language not in _WORDS:
        raise MirrorError(f"alerts can't be written in {language!r}: choose {' or '.join(LANGUAGES)}")
    return _WORDS[language]


def _paragraphs(words: _Words, failing: Mapping[str, RepoState], room: int) -> Iterable[str]:
    """Return the lines about each cause, those that hit most first, as far as they fit."""
    causes: dict[str, list[str]] = {}
    for name in sorted(failing):
        causes.setdefault(failing[name].cause, []).append(name)
    groups = sorted(causes.values(), key=len, reverse=True)
    room -= _size([words.more_groups.format(count=len(failing))])
    lines: list[str] = []
    told = 0
    for names in groups:
        paragraph = _paragraph(words, {name: failing[name] for name in names})
        room -= _size(paragraph)
        if room < 0:
            return [*lines, words.more_groups.format(count=len(failing) - told)]
        lines += paragraph
        told += len(names)
    return lines


def _paragraph(words: _Words, group: Mapping[str, RepoState]) -> list[str]:
    """Return the lines about the entries that failed for one cause."""
    names = _names(words, list(group))
    first = next(iter(group.values()))
    if len(group) == 1:
        return [names, words.reason.format(cause=_clip(first.message, _CAUSE)), _since(words, group)]
    line = words.group.format(count=len(group), names=names)
    return [line, words.reason.format(cause=_clip(first.cause, _CAUSE)), _since(words, group)]


def _names(words: _Words, names: list[str]) -> str:
    shown = words.names.join(_clip(name, _NAME) for name in names[:_SHOWN])
    return shown + (words.more_names.format(count=len(names) - _SHOWN) if len(names) > _SHOWN else "")


def _since(words: _Words, group: Mapping[str, RepoState]) -> str:
    """Say when the entries last succeeded."""
    known = sorted(state.last_success for state in group.values() if state.last_success is not None)
    if not known:
        return words.success.format(time=words.never)
    first, last = _time(known[0]), _time(known[-1])
    line = words.success.format(time=first) if first == last else words.successes.format(first=first, last=last)
    never = len(group) - len(known)
    return line + (words.some_never.format(count=never) if never else "")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _size(lines: Iterable[str]) -> int:
    """Return how many bytes lines take, each with its end."""
    return sum(len(line.encode()) + 1 for line in lines)


def _clip(text: str, limit: int) -> str:
    """Return a text on one line, cut to a number of bytes."""
    line = " ".join(text.split()).encode("utf-8", "replace")
    if len(line) <= limit:
        return line.decode()
    return line[: limit - len("…".encode())].decode("utf-8", "ignore") + "…"
