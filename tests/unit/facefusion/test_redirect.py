# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror comes first in FaceFusion's choices, FaceFusion starts whatever these are, and how long it asks."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import debian_nginx
import pytest
from unit.facefusion.environment import FILES, FaceFusion

MIRROR = "https://mirror.example.com:8443"
SHOW = """
import json, sys
from facefusion import choices
print(json.dumps([choices.download_providers, {k: v["urls"] for k, v in choices.download_provider_set.items()}]))
"""
HUB, GITHUB = ["http://127.0.0.1:9", "http://10.89.78.10"], ["http://127.0.0.1:9"]


@pytest.fixture
def facefusion(tmp_path: Path) -> FaceFusion:
    return FaceFusion(tmp_path, "hf_mirror_redirect")


def choices(facefusion: FaceFusion, **environment: str) -> list[Any]:
    said, complained = facefusion.run(SHOW, **environment)
    assert complained == ""
    return list(json.loads(said))


def test_without_its_variable_nothing_is_changed(facefusion: FaceFusion) -> None:
    assert choices(facefusion) == [["github", "huggingface"], {"github": GITHUB, "huggingface": HUB}]
    assert choices(facefusion, FACEFUSION_MIRROR="", FACEFUSION_PUBLIC_FALLBACK="0")[1]["github"] == GITHUB


@pytest.mark.parametrize("address", [MIRROR, f"{MIRROR}/"])
def test_the_mirror_comes_first_and_the_public_sources_behind_it(facefusion: FaceFusion, address: str) -> None:
    assert choices(facefusion, FACEFUSION_MIRROR=address) == [
        ["huggingface", "github"],
        {"github": GITHUB, "huggingface": [MIRROR, *HUB]},
    ]


def test_a_mirror_that_is_among_them_already_is_there_once(facefusion: FaceFusion) -> None:
    assert choices(facefusion, FACEFUSION_MIRROR=HUB[1])[1]["huggingface"] == [HUB[1], HUB[0]]


def test_without_the_public_the_mirror_is_alone(facefusion: FaceFusion) -> None:
    found = choices(facefusion, FACEFUSION_MIRROR=MIRROR, FACEFUSION_PUBLIC_FALLBACK="0")
    assert found == [["huggingface", "github"], {"github": [], "huggingface": [MIRROR]}]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "download_provider_set = None\n",
        "download_provider_set = {'huggingface': {'url': 'https://huggingface.co'}}\ndownload_providers = []\n",
        "download_provider_set = {'huggingface': {'urls': ('https://huggingface.co',)}}\ndownload_providers = []\n",
    ],
)
def test_it_starts_with_choices_of_another_kind(facefusion: FaceFusion, source: str) -> None:
    (facefusion.tree / "facefusion" / "choices.py").write_text(source, encoding="utf-8")
    said, complained = facefusion.run("import facefusion.choices; print('here')", FACEFUSION_MIRROR=MIRROR)
    assert said == "here\n"
    assert complained.startswith("FaceFusion does not use the mirror") and len(complained.splitlines()) == 1


def test_it_leaves_errors_as_they_are(facefusion: FaceFusion) -> None:
    (facefusion.tree / "facefusion" / "choices.py").unlink()
    code = "try:\n    import facefusion.choices\nexcept ModuleNotFoundError as error:\n    print(error)"
    said, complained = facefusion.run(code, FACEFUSION_MIRROR=MIRROR)
    assert (said, complained) == ("No module named 'facefusion.choices'\n", "")


@pytest.mark.parametrize(("refusals", "status"), [(2, 0), (3, 22)])
def test_its_probe_outlasts_a_takeover_and_ends_soon_after_one(tmp_path: Path, refusals: int, status: int) -> None:
    asked: list[float] = []

    class Mirror(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(time.monotonic())
            self.send_response(200 if len(asked) > refusals else 502)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    settings = {"__facefusion_endpoint_host": "127.0.0.1", "facefusion_username": "", "facefusion_client_cert": ""}
    curlrc = debian_nginx.render(FILES.parent, "curlrc.j2", **settings)
    (tmp_path / ".curlrc").write_text(curlrc, encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        # as FaceFusion 3.2.0 to 3.8.1 do it
        command = ["curl", "--location", "--silent", "-I", url, "--connect-timeout", "5"]
        environment = {"PATH": os.environ["PATH"], "CURL_HOME": str(tmp_path)}
        assert subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == status
        server.shutdown()
    assert len(asked) == 3 and asked[-1] - asked[0] > 3.5, "a takeover may take 2 seconds"
    assert "retry-delay = 2" in curlrc.splitlines(), "or each wait would be longer than the last"


def test_programs_without_facefusion_are_not_touched(facefusion: FaceFusion) -> None:
    said, complained = facefusion.run("import json, sys; print('facefusion' in sys.modules)", FACEFUSION_MIRROR=MIRROR)
    assert (said, complained) == ("False\n", "")
