# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, audio and video, by how they begin."""

from __future__ import annotations

_BEGINS = {
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR": "a PNG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"\0\0\1\0": "an icon",
    b"fLaC\0": "FLAC audio",
    b"OggS\0": "Ogg audio or video",
    b"ID3": "MP3 audio",
    b"\x1a\x45\xdf\xa3": "Matroska or WebM video",
}
_RIFF = {b"WEBP": "a WebP image", b"WAVE": "WAV audio", b"AVI ": "AVI video"}
#: The second byte of a frame of MP3 (MPEG 1 to 2.5, layer III) and its rates of bits and samples.
_MP3 = (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2)


def name(head: bytes) -> str | None:
    """Return what begins so, None where it is none of them."""
    for begin, what in _BEGINS.items():
        if head.startswith(begin):
            return what
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF audio"
    if head[4:8] == b"ftyp" and head[8:12].isascii() and int.from_bytes(head[:4], "big") < 1024:
        return "MPEG-4 audio, video or an image"
    if head[:3] == b"\xff\xd8\xff" and head[3:4] >= b"\xc0":
        return "a JPEG image"
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:18] in (b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0"):
        return "a bitmap"
    if head[:1] == b"\xff" and len(head) > 3 and head[1] in _MP3 and head[2] >> 4 not in (0, 15) and head[2] & 12 != 12:
        return "MP3 audio"
    return None
