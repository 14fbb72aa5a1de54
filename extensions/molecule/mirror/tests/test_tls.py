# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS with the role's own CA: clients, the pair, certificates of clients, FaceFusion, keys. In this order."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

from hub.repos import Library
from testhosts import CLIENTS, FLOATING, HUB, MIRRORS, TOP, are_well, connect, container, playbook, podman, recap, until

ACTIVE, STANDBY = sorted(MIRRORS)
FOLLOWED = {"repo_id": "stand-in/tiny-space", "repo_type": "space"}
FOLLOWED_FOLDER = "/srv/hf-mirror/hub/spaces--stand-in--tiny-space"
LIST = "/tmp/tls.yml"  # noqa: S108 - on a test host
OPEN, FILE = "deepinsight/inswapper-128", "inswapper_128.onnx"
FACES = [f"facefusion/models-{version}" for version in ("3.0.0", "3.1.0", "3.3.0")]
GUARDED = ["hysts/ArcFace-resnet100", FACES[0]]
VERSIONS = ["0.36.2", "1.33.0", "2.4.0"]
FULL = pytest.mark.skipif(os.environ.get("TEST_PROFILE") != "full", reason="takes a minute: make test-full")
ETC = "/etc/nginx/hf-mirror"
REVOKED = f"{ETC}/revoked.pem"
#: The first client is pointed at the first mirror, the second one at the other.
POINTED = dict(zip(sorted(CLIENTS), sorted(MIRRORS), strict=True))


def each(values: dict[str, Any]) -> str:
    """Return a variable that is another one on each host."""
    return f"{{{{ {json.dumps(values)}[inventory_hostname] | default('') }}}}"


SETTINGS = {
    "mirror_nginx_tls": "own_ca",
    "mirror_nginx_users": [{"name": name, "groups": ["staff"]} for name in ("alice", "bob")],
    "mirror_nginx_access": [
        {"repos": GUARDED, "certificates": ["staff"]},
        {"repos": ["*"], "views": ["*"]},
    ],
    "mirror_sync_follow": f"{{{{ inventory_hostname == '{STANDBY}' }}}}",
    "hub_client_endpoint": each({client: f"https://{MIRRORS[mirror]}" for client, mirror in POINTED.items()}),
}


def play(settings: dict[str, Any]) -> str:
    done = playbook("site.yml", "-e", json.dumps(settings))
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def ca() -> Iterator[str]:
    """Have TLS everywhere; the CA's certificate."""
    for name in MIRRORS:
        # what other tests brought to one of the two would follow
        connect(name).check_output("hf-mirror sync --state exact --max-delete 100%")
    # with a configuration that calls the peer as before: it has to be told
    connect(STANDBY).check_output("systemctl start hf-mirror-follow")
    play(SETTINGS)
    ca = connect(ACTIVE).check_output(f"cat {ETC}/ca/certificate.pem")
    yield ca
    play({})
    connect(STANDBY).check_output("rm -rf /run/hf-mirror-follow")
    for name in (*MIRRORS, *CLIENTS):
        assert ca not in connect(name).file("/etc/ssl/certs/ca-certificates.crt").content_string
        connect(name).check_output(f"rm -rf {ETC}/ca {ETC}/tls {REVOKED} /root/[ab]*.pem {LIST}")


@pytest.fixture(scope="module")
def active() -> Host:
    return connect(ACTIVE)


def status(name: str, url: str, *options: str) -> str:
    """Return the status that curl gets, which trusts what its host trusts, and where it is sent."""
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", *options, url]
    return str(connect(name).check_output(" ".join(["%s"] * len(words)), *words)).strip()


# ---- Clients


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CLIENTS)
def test_an_unmodified_client_as_the_role_set_it_up(name: str, version: str, library: Library) -> None:
    program = (
        f"export HF_HOME=$(mktemp -d); cat $(/opt/huggingface_hub-{version}/bin/hf download --quiet {OPEN} {FILE})"
    )
    program += " | sha256sum; rm -rf $HF_HOME"
    done = connect(name).run("env -i HF_HUB_DISABLE_UPDATE_CHECK=1 bash -lc %s", program)
    assert done.stdout.split()[0] == library.repo("model", OPEN).main.files[FILE].blob, done.stderr
    log = connect(POINTED[name]).file("/var/log/hf-mirror/access.log").content_string
    asked = [line for line in map(json.loads, log.splitlines()) if f"hf_hub/{version}" in line["user_agent"]]
    assert asked[-1]["client"] == CLIENTS[name]


@pytest.mark.parametrize("address", [*MIRRORS.values(), FLOATING], ids=[*MIRRORS, "floating"])
@pytest.mark.parametrize("name", [*MIRRORS, *CLIENTS])
def test_every_host_trusts_the_mirrors(name: str, address: str) -> None:
    assert status(name, f"https://{address}/api/models/{OPEN}") == "200"
    assert status(name, f"http://{address}/api/models/{OPEN}") == f"301 https://{address}/api/models/{OPEN}"


# ---- The pair


def test_the_nodes_find_themselves_well() -> None:
    until(are_well)


def test_the_peer_follows(active: Host) -> None:
    """By its service, which ran before it trusted its peer."""
    active.check_output("echo %s > %s", json.dumps([FOLLOWED]), LIST)
    sync = f"hf-mirror --config {LIST} --store /srv/hf-mirror --endpoint {HUB} --peer https://{MIRRORS[STANDBY]} sync"
    said = active.check_output(sync)
    assert "without the peer" not in said
    # it was waited for
    assert connect(STANDBY).file(FOLLOWED_FOLDER).exists
    # the other way round, too
    until(lambda: {connect(name).run("hf-mirror compare").stdout for name in MIRRORS} == {"both stores are equal\n"})
    active.check_output(f"{sync} --state absent")
    until(lambda: not connect(STANDBY).file(FOLLOWED_FOLDER).exists)


def test_a_peer_that_is_called_as_before(active: Host) -> None:
    done = active.run(f"hf-mirror --peer http://{MIRRORS[STANDBY]} compare")
    assert done.rc != 0
    assert f"set https://{MIRRORS[STANDBY]} as the peer" in done.stderr


# ---- Certificates of clients


def read_me(name: str) -> list[str]:
    """Return what the role's README says of certificates: how to make that of a user, how to revoke it."""
    text = (
        (TOP / "roles/mirror_nginx/README.md").read_text(encoding="utf-8").partition("### Certificates of clients")[2]
    )
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block.replace("alice", name).replace("hub.example.com", MIRRORS[ACTIVE]) for block in blocks]


def test_a_certificate_is_a_user(active: Host) -> None:
    url = f"https://{MIRRORS[ACTIVE]}/api/models/{GUARDED[0]}"
    assert status("client12", url) == "401"
    for name in ("alice", "bob"):
        make, _revoke = read_me(name)
        assert json.loads(active.check_output("set -e\n" + make))["name"] == name
        pair = active.check_output(f"cd {ETC}/ca && cat {name}.key {name}.pem && rm {name}.key")
        connect("client12").check_output("umask 077; echo %s > %s", pair, f"/root/{name}.pem")
        assert status("client12", url, "--cert", f"/root/{name}.pem") == "200"


def test_a_second_run_changes_nothing_but_brings_what_is_revoked(active: Host) -> None:
    active.check_output("set -e\n" + read_me("bob")[1])
    said = play({**SETTINGS, "mirror_nginx_tls_client_crl": each({ACTIVE: REVOKED})})
    changed = {name: counts["changed"] for name, counts in recap(said).items()}
    # what a person wrote there and nginx has not read yet, the server's file, and nginx
    assert changed == dict.fromkeys(changed, 0) | {ACTIVE: 3}, said
    for url in (f"https://{MIRRORS[ACTIVE]}/api/models/{GUARDED[0]}", f"https://{MIRRORS[ACTIVE]}/"):
        assert status("client12", url, "--cert", "/root/alice.pem") == "200"
        assert status("client12", url, "--cert", "/root/bob.pem") == "400"


# ---- FaceFusion, which shows a certificate


@pytest.fixture(scope="module")
def faces(active: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., dict[str, int]]]:
    """Have the models, and a tree on a host that has a certificate; return what runs the role for a version of it."""
    whitelist = json.dumps([{"repo_id": repo_id} for repo_id in FACES])
    active.check_output("echo %s > %s", whitelist, LIST)
    sync = f"hf-mirror --config {LIST} --store /srv/hf-mirror --endpoint {HUB} sync"
    active.check_output(sync)
    host = connect("client12")
    # the packages would take longer than all tests
    host.check_output("cd /usr/local/bin && touch ffmpeg ffprobe && chmod +x ffmpeg ffprobe")
    podman("cp", str(TOP / "tests/facefusion/tree"), f"{container('client12')}:/srv/facefusion")
    host.check_output("rm -rf /srv/facefusion/.assets && install -m 644 /root/alice.pem /srv/alice.pem")
    variables = {
        "facefusion_path": "/srv/facefusion",
        "facefusion_endpoint": f"https://{MIRRORS[ACTIVE]}",
        "facefusion_client_cert": "/srv/alice.pem",
        "facefusion_client_key": "/srv/alice.pem",
        "facefusion_onnxruntime": "default",
    }
    file = tmp_path_factory.mktemp("facefusion") / "play.yml"

    def run(version: str = "3.5.4", tasks_from: str = "main") -> dict[str, int]:
        host.check_output('sed -Ei \'s/"[0-9.]+"/"%s"/\' /srv/facefusion/facefusion/metadata.py', version)
        role = {"name": "modelops.hf_mirror.facefusion", "tasks_from": tasks_from}
        tasks = [{"ansible.builtin.include_role": role, "vars": variables}]
        file.write_text(json.dumps([{"hosts": "client12", "become": True, "tasks": tasks}]), encoding="utf-8")
        done = playbook(str(file))
        assert done.returncode == 0, done.stdout
        return recap(done.stdout)["client12"]

    yield run
    run(tasks_from="uninstall")
    host.check_output("userdel facefusion; rm -rf /srv/facefusion /srv/alice.pem /usr/local/bin/ff*")
    active.check_output(f"{sync} --state absent")


@FULL
def test_an_old_facefusion_gets_its_models_and_nothing_else(faces: Callable[..., dict[str, int]]) -> None:
    client = connect("client12")
    client.check_output("chmod 600 /srv/alice.pem")
    with pytest.raises(AssertionError, match=r"can't read /srv/alice[.]pem"):
        faces("3.1.0")
    client.check_output("chmod 644 /srv/alice.pem")
    before = client.check_output("ls /etc /usr/local/bin /opt")
    assert faces("3.1.0")["changed"] and not faces("3.1.0")["changed"]
    found = client.check_output("cd /srv/facefusion/.assets/models && ls *.onnx *.hash").split()
    assert len(found) == 20 and "open_nsfw.hash" in found
    assert client.check_output("ls /etc /usr/local/bin /opt") == before


@FULL
def test_what_a_newer_one_lacks_comes_with_the_certificate(faces: Callable[..., dict[str, int]]) -> None:
    client = connect("client12")
    assert faces("3.5.4")["changed"] and not faces("3.5.4")["changed"]
    model = "/srv/facefusion/.assets/models/2dfan4.onnx"
    sha256 = client.check_output("sha256sum %s && rm %s", model, model)
    assert status("client12", f"https://{MIRRORS[ACTIVE]}/api/models/{FACES[0]}") == "401"
    assert client.run("STAND_IN_LOOP_SECONDS=5 facefusion models").rc == 0
    assert client.check_output("sha256sum %s", model) == sha256


@FULL
def test_a_disk_without_room_for_the_models(faces: Callable[..., dict[str, int]]) -> None:
    client, models = connect("client12"), "/srv/facefusion/.assets/models"
    client.check_output(f"mount -t tmpfs -o size=200k,mode=755 tmpfs {models} && chown facefusion: {models}")
    try:
        with pytest.raises(AssertionError, match="is too full"):
            faces("3.5.4")
        client.check_output(f"mount -o remount,size=50M {models}")
        assert faces("3.5.4")["changed"]
    finally:
        client.check_output(f"umount {models}")


# ---- Keys


@pytest.mark.parametrize(
    ("mirror", "path"), [(ACTIVE, f"{ETC}/ca/key.pem"), (ACTIVE, f"{ETC}/tls/key.pem"), (STANDBY, f"{ETC}/tls/key.pem")]
)
def test_a_key_is_for_root_alone_and_in_one_place(mirror: str, path: str) -> None:
    file = connect(mirror).file(path)
    assert (file.user, file.mode) == ("root", 0o600)
    secret = file.content_string.splitlines()[1]
    found = []
    for name in (*MIRRORS, *CLIENTS):
        files = connect(name).run("grep -rlsF %s /etc /srv /opt /root /tmp /var /home", secret).stdout.split()
        found += [(name, one) for one in files]
    assert found == [(mirror, path)]
