# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs code when it is loaded is held, what is harmless is not."""

from __future__ import annotations

import io
import pickle
import random
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from contents.harmless import KINDS, PNG, gguf, hdf5, message, onnx, parquet
from contents.running import contents, npy, tarred, with_large_window, zipped_as

from hub.drafts import safetensors

from .conftest import Judge

HARMLESS = {name: content for kind in KINDS.values() for name, content in kind}


def test_what_runs_code_is_held(
    judged: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.chdir(tmp_path)
    made = Path("made")  # wherever tests are run, code with its name fits into that of a file in a tar
    for one in contents(made):
        with subtests.test(one.name):
            for formats in ("no-pickle", "safe"):
                assert judged(formats, {one.name: one.content}).keys() == {one.name}, formats
            assert not made.exists(), "to look at it ran it"
            if one.load:
                one.load(one.content)
                made.unlink()  # so its loader runs it


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_is_not(judged: Judge, name: str) -> None:
    assert judged("no-pickle", {name: HARMLESS[name]}) == {}
    assert judged("safe", {name: HARMLESS[name]}) == {}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("modeling.py", b"x = 1\n", r"is code, or a document that can hold code, by its name \(.py\)"),
        ("notebook.ipynb", b"{}", "is code"),
        ("page.html", b"<html>", "is code"),
        ("run", b"#!/bin/sh\n", "is a script"),
        ("libx.so.1", b"\x7fELF\x02\x01\x01" + bytes(9), "is a program or library"),
        ("model.engine", b"ftrt" + bytes(99), "is an engine of TensorRT"),
        ("paper.pdf", b"%PDF-1.7\n\xff\0", "is a PDF document"),
        ("weights.bin", random.Random(1).randbytes(1000), "is of no kind that is known to be harmless"),
        ("model.7z", b"7z\xbc\xaf\x27\x1c" + bytes(20), "is packed with 7z"),
        ("data.jsonl.zst", b"\x28\xb5\x2f\xfd" + bytes(20), "is packed with zstd"),
        ("cut.safetensors", safetensors("x", 1000)[:-1], "is a safetensors file with a wrong header"),
        ("model.safetensors", struct.pack("<Q", 99_000_000) + b"{" + bytes(99), "a header of 99000000 bytes"),
        ("model.safetensors", struct.pack("<Q", 6) + b'{"a":1', "is a safetensors file with a wrong header"),
        ("model.gguf", gguf()[:-120], "is a GGUF file with a wrong head"),
        ("model.gguf", b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1), "tensors"),
        ("model.gguf", gguf("{{ x.__class__ }}"), "chat template reaches for Python's insides"),
        ("model.gguf", gguf("{{ x|attr('a') }}"), "chat template"),
        ("model.onnx", onnx("../../etc/passwd"), r"data outside its folder \('../../etc/passwd'\)"),
        ("model.onnx", onnx("/etc/passwd", in_attribute=True), "data outside its folder"),
        ("model.onnx", onnx("..", value_first=True), "data outside its folder"),
        ("model.onnx", onnx("a/../../b"), "data outside its folder"),
        ("model.onnx", onnx("C:\\x"), "data outside its folder"),
        ("model.h5", hdf5(b'{"class_name": "Lambda", "config": {}}'), "is an HDF5 file with a Lambda layer"),
        ("model.h5", hdf5(b'{"class_name": "\\u004cambda"}'), "Lambda layer"),
        ("store.h5", hdf5(b"PYTABLES_FORMAT_VERSION"), "PyTables"),
        ("behind.png", PNG.ljust(2048) + hdf5(b""), "has an HDF5 file behind something else"),
        ("packed.h5", b"\x89HDF\r\n\x1a\n" + b"FRHP\0\x08\0\x09\0" + bytes(99), "packed heap"),
        ("model.json", b'{"class_name" :\n"Lambda"}', "Lambda layer"),
        (
            "m.keras",
            zipped_as("config.json", b'{"class_name": "Lambda"}'),
            "has config.json in it, which is a text with",
        ),
        (
            "m.keras",
            zipped_as("config.json", b'{"module": "os", "class_name": "system"}'),
            "names a function of Python",
        ),
        ("m.keras", zipped_as("model.weights.h5", hdf5(b'"class_name": "__lambda__"')), "Lambda layer"),
        ("config.yaml", b"a: !!python/object/apply:os.system [id]\n", "is YAML with the tag"),
        ("config.yaml", b"a: [1,!apply:os.system {}]\n", "is YAML with the tag"),
        ("config.yaml", b"%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system\n", "is YAML with the tag"),
        ("config.yaml", b"\xef\xbb\xbf!!python/object/apply:os.system [id]\n", "is YAML with the tag"),
        ("config.yaml", b"a: !<tag:yaml.org,2002:python/object/apply:os.system> [id]\n", "is YAML with the tag"),
        ("config.yaml", b"a: !!%70ython/object/apply:os.system [id]\n", "is YAML with the tag"),
        ("config.yaml", b"x: &a subprocess.Popen\ntarget: *a\n", "target"),
        ("config.yaml", b"x: &t target\n*t : subprocess.Popen\n", "target"),
        ("config.yaml", b"target: >-\n  subprocess.Popen\n", "target"),
        ("config.yaml", b"target: |-\n  subprocess.Popen\n", "target"),
        ("config.yaml", b"target: !!str subprocess.Popen\n", "target"),
        ("config.yaml", b"target: &x subprocess.Popen\n", "target"),
        ("config.yaml", b'? "tar\\\n  get"\n: subprocess.Popen\n', "target"),
        ("config.yaml", b'target: "\\\nsubprocess.Popen"\n', "target"),
        ("config.yaml", b'? "_tar\\\n  get_"\n: subprocess.Popen\n', "_target_"),
        ("config.yaml", b"b: &b {? target : subprocess.Popen}\n<<: *b\n", "target"),
        ("config.yaml", b"a: subprocess\ntarget: ${a}.Popen\n", "target"),
        ("config.yaml", b"a: 1\n---\n- [{x: {target: os.system}}]\n", "target"),
        ("config.yaml", b"a: 'open\n", "is YAML that can't be read"),
        ("config.json", b'{"auto_map": {"}": "", "AutoModel": "a/b--m.C"}}', "code from another repository"),
        ("config.json", b'{"auto_map": {"x": {}, "AutoModel": "a/b--m.C"}}', "code from another repository"),
        ("config.json", b'{"auto_map": {"A": "a/b--m.C"}, "auto_map": {}}', "code from another repository"),
        ("config.json", b'\xef\xbb\xbf{"auto_m\\u0061p": {"AutoModel": "a/b-\\u002dm.C"}}', "another repository"),
        ("tokenizer_config.json", b'{"auto_map": ["a/b--t.T", null]}', "code from another repository"),
        ("modules.json", b'[{"idx": 0, "type": "a/b--m.C"}]', "code from another repository"),
        ("config.json", b'{"auto_map": {"A": "a/b--m.C"}} // a comment', "names code .auto_map., and can't be read"),
        ("config.json", b'{"a": "' + b"x" * (1 << 20) + b'", "auto_map": {"A": "a/b--m.C"}}', "names code"),
        ("model.xml", b'<a xmlns="http://www.w3.org/1999/xhtml"><script/></a>', "is XML that may hold scripts"),
        ("x.pth", b"import os; os.system('true')\n", "is code"),
        ("saved_model.pb", b"\x08\x01" + message(2, message(2, message(1, message(2, b"WriteFile")))), "no kind"),
        ("graph.pb", message(1, message(1, b"name") + message(2, b"WriteFile")), "no kind"),
        ("onnx.pb", message(2, message(2, message(1, message(2, b"WriteFile")))) + onnx(), "no kind"),
        ("onnx.pb", b"\x12\0" + message(1, message(1, b"name") + message(2, b"WriteFile")) + onnx(), "no kind"),
        ("model.mlmodel", b"\x08\x04" + message(2, b"a text"), "no kind"),
        ("saved_model.pbtxt", b'meta_graphs { graph_def { node { op: "WriteFile" } } }', "is code"),
        ("Makefile", b"all:\n", "is code"),
        (".bashrc", b"true\n", "is code"),
        ("config.yaml", b"x:\n  _target_: os.system\n", "_target_"),
        ("config.yaml", b'"\\x5ftarget_": os.system\n', "_target_"),
        ("config.yaml", b"model:\n  target: # here\n    os.system\n", "target"),
        ("config.json", b'{"_target_": "os.system"}', "_target_"),
        ("config.json", b'{"auto_map": {"AutoModel": "a/b--modeling.X"}}', "code from another repository"),
        ("data.zip", zipped_as("../x.txt", b""), "leads out of the folder"),
        ("data.tar", tarred("/x.txt", b""), "leads out of the folder"),
        ("data.zip", zipped_as("x.py", b""), "has x.py in it, which is code"),
        ("data.tar.gz", tarred("x.py", b"", "w:gz"), "has data.tar in it, which has x.py in it, which is code"),
        ("t.parquet", parquet(b"x YXJyb3cucHlfZXh0ZW5zaW9uX3R5cGU= y"), "a column that is a pickle"),
        ("t.parquet", parquet(b"x FhcnJvdy5weV9leHRlbnNpb25fdHlwZ x"), "a column that is a pickle"),
        ("t.parquet", parquet()[:-4], "no kind"),
        ("a.msgpack", b"\x83\xc4\x02nd\xc3\xc4\x04kind\xc4\x01O\xc4\x04data\xc4\x01x", "pickle of NumPy objects"),
        ("latin.txt", "Größe".encode("latin-1"), "no kind"),
        ("a.npy", npy("{'descr': 'V8'"), "header can't be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # a content has the time in it
)
def test_safe_holds(judged: Judge, name: str, content: bytes, words: str) -> None:
    held = judged("safe", {name: content})
    assert held.keys() == {name}
    with pytest.raises(ValueError, match=words):
        raise ValueError(held[name])


def test_what_asks_for_much_memory_to_be_unpacked_is_held(judged: Judge) -> None:
    for formats in ("no-pickle", "safe"):
        held = judged(formats, {"a.txt.xz": with_large_window(b"text")})
        assert held == {"a.txt.xz": "is packed so that unpacking it takes more memory than it gets"}


def test_links_that_lead_out(judged: Judge) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc"
        tar.addfile(link)
    about = zipfile.ZipInfo("a")
    about.external_attr = 0o120777 << 16
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(about, "/etc/passwd")
    for name, content in (("a.tar", out.getvalue()), ("a.zip", zipped.getvalue())):
        assert "leads out" in judged("safe", {name: content})[name]
        assert judged("no-pickle", {name: content}) == {}


def test_what_an_onnx_model_says_is_its_data(judged: Judge) -> None:
    numbers = random.Random(2).randbytes(10_000)
    model = onnx("./model.onnx_data")
    assert judged("safe", {"onnx/model.onnx": model, "onnx/model.onnx_data": numbers}) == {}
    held = judged("safe", {"onnx/model.onnx": model, "model.onnx_data": numbers})
    assert held.keys() == {"model.onnx_data"}, "in another folder"
    held = judged("safe", {"onnx/model.onnx": model, "onnx/model.onnx_data": pickle.dumps([print])})
    assert "is a pickle" in held["onnx/model.onnx_data"]
    assert judged("safe", {"m.onnx": onnx("x.py"), "x.py": b"x = 1"}).keys() == {"x.py"}


def test_random_bytes_are_no_pickle(judged: Judge) -> None:
    noise = random.Random(3)
    many = {f"{number}.bin": noise.randbytes(2000) for number in range(1000)}
    many["heads.bin"] = b"\x80\x02" + bytes(noise.choice(b"\x80\x02\x95q") for _byte in range(1 << 20))
    assert judged("no-pickle", many) == {}


def test_a_large_zip_in_a_zip_is_no_pickle(judged: Judge) -> None:
    inner = zipped_as("a.npy", npy("{'descr': '|u1'}", random.Random(5).randbytes(2 << 20)), zipfile.ZIP_STORED)
    assert judged("no-pickle", {"a.zip": zipped_as("a.npz", inner)}) == {}


def test_what_begins_as_a_table_and_is_none_is_no_pickle(judged: Judge) -> None:
    assert judged("no-pickle", {"a.bin": b"\xff" * 100}) == {}


def test_a_pickle_of_nothing_but_values_is_one(judged: Judge) -> None:
    for number in range(6):
        assert judged("no-pickle", {"a.pkl": pickle.dumps({"a": [1, 2.0, None, "x", (b"y",)]}, number)})
    assert judged("no-pickle", {"a.pkl": b"N."})


def test_an_archive_that_no_reader_takes_is_held(judged: Judge) -> None:
    whole = zipped_as("data.pkl", b"text" * 1000)
    encrypted = bytearray(whole)
    for at in (whole.index(b"PK\1\2") + 8, 6):
        encrypted[at] |= 1
    broken = bytearray(whole)
    broken[40] ^= 0xFF
    assert "is encrypted" in judged("no-pickle", {"a.zip": bytes(encrypted)})["a.zip"]
    for content in (bytes(broken), whole[:-30]):
        assert "could not be read to its end" in judged("no-pickle", {"a.zip": content})["a.zip"]
    strange = io.BytesIO()
    with zipfile.ZipFile(strange, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.txt", b"text")
    assert "can't be looked into" in judged("no-pickle", {"a.zip": strange.getvalue()})["a.zip"]


def test_all_that_is_held_is_named_up_to_ten(judged: Judge) -> None:
    assert len(judged("safe", {f"{number}.py": b"" for number in range(20)})) == 10
    assert judged("safe", {"a.py": b"", "b.png": PNG, "c.py": b""}).keys() == {"a.py", "c.py"}
