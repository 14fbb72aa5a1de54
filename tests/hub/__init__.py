# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for huggingface.co: small enough to read, close enough that no client notices.

Build the contents once, then serve them::

    python -m hub.contents DIR            # about 0.5 GB; --small leaves out what is big or comes from a package index
    python -m hub --root DIR --port 8000 --content-port 8001

Who knows what:

- ``recipes`` says which repositories exist, ``contents`` builds them, ``repos`` and ``objects`` describe them;
- ``address`` reads a URL, ``listings`` writes the JSON answers, ``hub_origin`` and ``content_origin`` serve,
  ``signatures`` are in the URLs of the second, ``nginx`` may stand before it;
- ``faults`` are what is ordered, ``waits`` how long some of them take, ``bodies`` spoils with them the bytes of files;
  ``limits``, ``access`` and ``errors`` are how the Hub says no, ``edits`` makes new commits;
- ``journal`` remembers requests, ``control`` is the door to all of it;
- ``git_lfs_repo`` and ``olah`` are a second upstream that shares none of the serving code.
"""
