# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceFusion hosts: models in their places, what is asked at run time, failures, services. In this order."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from testhosts import FACES, HUB, TOP, connect, container, playbook, podman, recap, until

MIRROR = "mirror1"
ADOPTED, INSTALLED = "adopts", "installs"
TREES = {ADOPTED: "/srv/facefusion", INSTALLED: "/opt/facefusion/tree"}
SOURCE = TOP / "tests" / "facefusion" / "tree"
ROLE = "modelops.hf_mirror.facefusion"
#: In a repository that everybody sees, and in the one that alice sees.
OPEN, GUARDED = "nsfw_1", "xseg_1"
LOG = "/var/log/hf-mirror/access.log"
#: The status of the stand-in for FaceFusion where FaceFusion goes round for ever.
LOOPED = 99


def run(folder: Path, *plays: dict[str, Any]) -> str:
    """Run plays that are roles: all of the playbook would take much longer."""
    file = folder / "plays.yml"
    file.write_text(json.dumps([{"become": True, **play} for play in plays]), encoding="utf-8")
    done = playbook(str(file))
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Have two hosts that lack everything but a tree or a repository of it, and run the playbook.

    Returns how much the host that installs had asked the mirror for before that.
    """
    folder = tmp_path_factory.mktemp("facefusion")
    tree, repository = folder / "tree", folder / "facefusion.git"
    shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns("__pycache__", ".assets"))
    git = ["git", "-C", str(tree), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Stand-in"], ["tag", "3.8.1"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(tree), str(repository)], check=True)
    podman("cp", str(repository), f"{container(INSTALLED)}:/srv/facefusion.git")
    connect(INSTALLED).check_output("chown -R root: /srv/facefusion.git")
    podman("cp", str(tree), f"{container(ADOPTED)}:{TREES[ADOPTED]}")
    # for the Python that Debian 12 has
    connect(ADOPTED).check_output(f"cd {TREES[ADOPTED]} && rm -rf .git && sed -i s/3.8.1/3.5.4/ facefusion/metadata.py")
    for name in TREES:
        # the packages would take longer than all tests
        connect(name).check_output("cd /usr/local/bin && touch ffmpeg ffprobe && chmod +x ffmpeg ffprobe")
    # somebody who is there already, and whose group is not called so
    connect(ADOPTED).check_output("id facefusion || useradd --system --no-user-group --gid users facefusion")
    earlier = len(asked(INSTALLED, "3.8.1"))
    done = playbook("site.yml")
    assert done.returncode == 0, done.stdout
    yield earlier
    # a job that somebody began and that does not end by itself: uninstalling has to end it
    by_hand = "/opt/facefusion/venv/bin/python -c 'import time; time.sleep(10000)'"
    connect(INSTALLED).check_output(f"systemd-run --uid facefusion --collect {by_hand}")
    uninstall = {"name": ROLE, "tasks_from": "uninstall"}
    tasks = [{"ansible.builtin.include_role": uninstall, "vars": {"facefusion_remove_models": True}}]
    run(folder, {"hosts": "facefusion", "tasks": tasks})
    for name in TREES:
        left = "cd /usr/local/bin && rm -rf ffmpeg ffprobe /srv/facefusion /srv/facefusion.git /srv/out /opt/facefusion"
        connect(name).check_output(left)
        assert connect(name).run("ls /etc/facefusion /usr/local/bin /etc/systemd/system | grep facefusion").stdout == ""
    assert connect(INSTALLED).run("id facefusion").rc != 0
    connect(ADOPTED).check_output("userdel facefusion")


@pytest.fixture
def adopted() -> Host:
    return connect(ADOPTED)


@pytest.fixture
def installed() -> Host:
    return connect(INSTALLED)


def order(what: str, **body: Any) -> None:
    connect("hub1").check_output("curl -fs %s -d %s", f"{HUB}/_hub/{what}", json.dumps(body))


@pytest.fixture
def hub() -> Iterator[None]:
    """Let the stand-in Hub be well again."""
    yield
    order("reset")


def asked(name: str, version: str) -> list[str]:
    """Return what a host's FaceFusion asked the mirror for."""
    lines = map(json.loads, connect(MIRROR).run(f"cat {LOG}").stdout.splitlines())
    said = [line for line in lines if line["client"] == FACES[name]]
    return [f"{line['method']} {line['uri']}" for line in said if line["user_agent"] == f"FaceFusion/{version}"]


def forget(host: Host, name: str) -> None:
    host.check_output(f"rm -f {TREES[host.check_output('hostname')]}/.assets/models/{name}.*")


def start(host: Host) -> int:
    """Start FaceFusion until it has its models, as a person does; its status."""
    return int(host.run("STAND_IN_LOOP_SECONDS=6 facefusion models").rc)


def start_without_our_curlrc(host: Host) -> int:
    """Do the same with curl as it is, to see that ours makes the difference."""
    command = f"cd {TREES[ADOPTED]} && exec /opt/facefusion/venv/bin/python facefusion.py models"
    environment = f"FACEFUSION_MIRROR={HUB} STAND_IN_LOOP_SECONDS=6"
    return int(host.run(f"{environment} runuser -u facefusion -- sh -c %s", command).rc)


def is_good(host: Host, name: str) -> bool:
    """Say whether a model is there and fits its sum, which is 8 digits and no more."""
    code = "import sys, zlib; print('%08x' % zlib.crc32(open(sys.argv[1], 'rb').read()), end='')"
    path = f"{TREES[host.check_output('hostname')]}/.assets/models/{name}"
    said = host.run("python3 -c %s %s.onnx | cmp - %s.hash", code, path, path)
    return said.rc == 0


@contextlib.contextmanager
def mirror_switched_off() -> Iterator[None]:
    connect(MIRROR).check_output("systemctl stop nginx")
    try:
        yield
    finally:
        connect(MIRROR).check_output("systemctl start nginx")


# ---- The first start


def test_the_first_start_has_all_models_in_place(installed: Host, earlier: int) -> None:
    assert installed.service("facefusion").is_running and installed.service("facefusion").is_enabled
    answer = json.loads(installed.check_output("curl -sf http://127.0.0.1:7860/config"))
    assert answer == {"processors": "face_swapper", "strategy": "tolerant", "is_checking": False}
    models = installed.file(f"{TREES[INSTALLED]}/.assets/models")
    assert models.user == "facefusion"
    assert len([name for name in models.listdir() if name.endswith((".onnx", ".hash"))]) == 22
    # once for each process: is the mirror there?
    assert asked(INSTALLED, "3.8.1")[earlier:] == ["HEAD /"]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    said = run(tmp_path, {"hosts": "facefusion", "roles": [ROLE]})
    assert {name: counts["changed"] for name, counts in recap(said).items()} == dict.fromkeys(TREES, 0), said


def test_what_a_cut_run_left_is_brought_into_force(installed: Host, tmp_path: Path) -> None:
    before = property_of(installed, "MainPID")
    installed.check_output("touch /etc/facefusion/facefusion.ini")
    for changes in (2, 0):
        said = run(tmp_path, {"hosts": INSTALLED, "roles": [ROLE]})
        assert recap(said)[INSTALLED]["changed"] == changes, said
    assert property_of(installed, "MainPID") not in (before, "0")


def test_the_users_own_group_reads_and_writes(adopted: Host) -> None:
    for path in ("/etc/facefusion/environment", f"{TREES[ADOPTED]}/.caches", "/srv/out"):
        assert adopted.file(path).group == "users"


def test_the_trees_are_as_they_were(adopted: Host, installed: Host) -> None:
    assert installed.check_output(f"git -C {TREES[INSTALLED]} status --porcelain") == ""
    files = adopted.check_output(
        f"cd {TREES[ADOPTED]} && find . -type f -not -path './.*/*' -not -name '*.pyc' -printf '%P\\n'"
    )
    expected = [path for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {*files.split()} == {str(path.relative_to(SOURCE)) for path in expected if ".assets" not in path.parts}
    assert (
        adopted.check_output(f"cat {TREES[ADOPTED]}/facefusion/choices.py")
        == (SOURCE / "facefusion/choices.py").read_text().strip()
    )


def test_the_password_is_for_two_only(installed: Host) -> None:
    secret = "0123456789abcdef" * 4
    assert installed.check_output("grep -rlF %s /etc /opt /usr/local /var /root", secret) == "/etc/facefusion/netrc"
    assert (installed.file("/etc/facefusion/netrc").mode, installed.file("/etc/facefusion/netrc").group) == (
        0o640,
        "facefusion",
    )


# ---- What is missing later, and what can go wrong


@pytest.mark.parametrize("name", [OPEN, GUARDED])
def test_what_is_missing_comes_from_the_mirror(installed: Host, name: str) -> None:
    forget(installed, name)
    before = len(asked(INSTALLED, "3.8.1"))
    assert start(installed) == 0 and is_good(installed, name)
    urls = asked(INSTALLED, "3.8.1")[before:]
    assert urls[0] == "HEAD /" and urls[-1].startswith("GET ") and urls[-1].endswith(f"{name}.onnx")


@pytest.mark.usefixtures("hub")
def test_a_cut_connection(adopted: Host) -> None:
    for run, status in ((start_without_our_curlrc, LOOPED), (start, 0)):
        forget(adopted, OPEN)
        order("cut", repo_id="facefusion/models-3.3.0", path=f"{OPEN}.onnx", after=10_000)
        assert run(adopted) == status
    assert is_good(adopted, OPEN)


@pytest.mark.usefixtures("hub")
def test_an_error_page_is_never_taken_for_a_sum(adopted: Host) -> None:
    sum_file = adopted.file(f"{TREES[ADOPTED]}/.assets/models/{OPEN}.hash")
    # 401, with words
    order("access", repo_id="facefusion/models-3.3.0", mode="private", token="hf_of_somebody")
    forget(adopted, OPEN)
    assert start_without_our_curlrc(adopted) == 2 and "not found" in sum_file.content_string
    forget(adopted, OPEN)
    assert start(adopted) == LOOPED and not sum_file.exists
    order("reset")
    assert start(adopted) == 0 and is_good(adopted, OPEN)


def test_a_full_disk(adopted: Host) -> None:
    models = f"{TREES[ADOPTED]}/.assets/models"
    adopted.check_output(f"mount -t tmpfs -o size=60k,mode=755 tmpfs {models} && chown facefusion: {models}")
    try:
        assert start(adopted) == LOOPED
        adopted.check_output(f"mount -o remount,size=20M {models}")
        assert start(adopted) == 0 and is_good(adopted, OPEN)
    finally:
        adopted.check_output(f"umount {models}")


def test_who_may_not_see_it_is_left_with_nothing_broken(installed: Host) -> None:
    """Without its user the mirror answers 401, with no body."""
    forget(installed, GUARDED)
    installed.check_output("mv /etc/facefusion/netrc /etc/facefusion/netrc.away")
    try:
        assert start(installed) == 2
    finally:
        installed.check_output("mv /etc/facefusion/netrc.away /etc/facefusion/netrc")
    assert installed.run(f"ls {TREES[INSTALLED]}/.assets/models | grep {GUARDED}").stdout == ""
    assert start(installed) == 0 and is_good(installed, GUARDED)


def test_with_the_fallback_the_public_gives_what_the_mirror_does_not(adopted: Host) -> None:
    """The stand-in Hub, its mirror, can't be reached; the one that is public for it can."""
    forget(adopted, OPEN)
    adopted.check_output("ip route add prohibit %s", HUB.removeprefix("http://"))
    try:
        assert start(adopted) == 0 and is_good(adopted, OPEN)
    finally:
        adopted.check_output("ip route delete prohibit %s", HUB.removeprefix("http://"))
    assert any(line.endswith(f"{OPEN}.onnx") for line in asked(ADOPTED, "3.5.4"))


# ---- Services


def property_of(host: Host, name: str, unit: str = "facefusion") -> str:
    return str(host.check_output("systemctl show --value --property %s %s", name, unit))


def is_healthy(host: Host) -> bool:
    said = host.run("curl -sf http://127.0.0.1:7860/config")
    return said.rc == 0 and not json.loads(said.stdout)["is_checking"]


def test_without_the_fallback_a_mirror_that_is_away_is_waited_for(installed: Host) -> None:
    forget(installed, OPEN)
    with mirror_switched_off():
        assert installed.run("systemctl restart facefusion").rc != 0
        until(lambda: "tried again in" in property_of(installed, "StatusText"))
        assert "models are missing or broken" in installed.check_output("journalctl -u facefusion -n 20 -o cat")
        # the stand-in Hub is up all the while; curl itself does not reach it
        assert installed.run("CURL_HOME=/etc/facefusion curl -sI %s/", HUB).rc == 7
    until(lambda: is_healthy(installed))
    assert is_good(installed, OPEN) and property_of(installed, "StatusText") == ""


def test_it_starts_again_when_it_waits_for_a_download_that_failed(installed: Host) -> None:
    before, starts = property_of(installed, "MainPID"), int(property_of(installed, "NRestarts"))
    installed.check_output("curl -s http://127.0.0.1:7860/choose/models-3.3.0/absent")
    assert not is_healthy(installed)
    until(lambda: property_of(installed, "MainPID") not in (before, "0") and is_healthy(installed))
    assert int(property_of(installed, "NRestarts")) == starts + 1


def test_the_service_writes_to_its_own_folders_only(installed: Host) -> None:
    mounts = installed.check_output("cat /proc/%s/mountinfo", property_of(installed, "MainPID")).splitlines()
    options = {line.split()[4]: line.split()[5].split(",")[0] for line in mounts}
    tree = TREES[INSTALLED]
    assert options["/"] == "ro"
    assert {path: options[path] for path in options if path.startswith(tree)} == {
        f"{tree}/{folder}": "rw" for folder in (".assets", ".caches", ".jobs")
    }


def test_a_job_that_is_submitted_is_run(adopted: Host) -> None:
    adopted.check_output("runuser -u facefusion -- sh -c %s", f"mkdir -p {TREES[ADOPTED]}/.jobs/queued")
    adopted.check_output("runuser -u facefusion -- touch %s", f"{TREES[ADOPTED]}/.jobs/queued/one.json")
    until(lambda: adopted.file(f"{TREES[ADOPTED]}/.jobs/completed/one.json").exists)
    until(lambda: property_of(adopted, "ActiveState", "facefusion-queue") == "inactive")
    assert property_of(adopted, "Result", "facefusion-queue") == "success"


# ---- Taken away again


def test_one_variable_takes_the_redirection_away(adopted: Host, tmp_path: Path) -> None:
    show = "cd /srv/facefusion && . /etc/facefusion/environment && /opt/facefusion/venv/bin/python -c %s"
    code = "from facefusion import choices; print(choices.download_providers[0])"
    assert adopted.check_output(f"set -a; {show}", code) == "huggingface"
    # a word, as from a command line
    run(tmp_path, {"hosts": ADOPTED, "roles": [ROLE], "vars": {"facefusion_redirect": "false"}})
    assert adopted.check_output(f"set -a; {show}", code) == "github"
    assert adopted.run("ls -A /etc/facefusion").stdout.split() == ["environment", "facefusion.ini"]
    assert "MIRROR" not in adopted.file("/etc/facefusion/environment").content_string
    assert adopted.run("find /opt/facefusion/venv -name '*redirect*'").stdout.split() == []
