# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of an upstream or a peer is taken in before it is refused; docs/security.md has the table."""

from __future__ import annotations

#: Bytes of one answer of an API.
ANSWER_BYTES = 64 << 20
#: Values (numbers, texts, lists, mappings) in one answer: what it takes of memory, whatever it is made of.
ANSWER_VALUES = 2_500_000
#: Seconds until an answer has begun, all of its headers; then for its body, however steadily it drips.
HEADER_SECONDS, ANSWER_SECONDS = 60, 300
#: The peer is near, and a publish waits for it.
PEER_HEADER_SECONDS = 10
#: Seconds for what a peer's catalogue hashes to, and for all of it: one that drips must not keep a node from others.
PEER_DIGEST_SECONDS, PEER_CATALOGUE_SECONDS = 20, 60
#: Pages of one listing, none of which is asked for twice; the Hub's have a thousand entries.
LISTING_PAGES = 2_000
#: Files and folders of one commit.
LISTING_ENTRIES = 250_000
#: Seconds for one listing; waits that the Hub itself asks for (429) count, so it is more than some of its windows.
LISTING_SECONDS = 3_600
#: Texts of an info document that are passed on: how many tags, and how long each text may be.
CARD_TAGS, CARD_TEXT = 1_000, 500
#: By how much a peer's count of a ref's publishes may be ahead of one's own: there is an end to what can be counted.
PEER_AHEAD = 1_000_000
#: Entries of a ref's history, and refs, that a peer may tell of one repository.
PEER_HISTORY, PEER_REFS = 1_000, 10_000
#: Repositories, views, purged contents and commits of one repository that a peer may tell.
PEER_ENTRIES = 200_000
