"""usage: seeds.py tar|inflate|documents DIR: what fuzzers begin with, made as the tests of images make theirs."""
import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../bats"))
from image_make import block, char, fifo, file, folder, hard, header, link, padded, pax  # noqa: E402

kind, out = sys.argv[1:]
end = b"\0" * 1024
archives = [
    file("a", "content", mode=0o4755, uid=5, gid=4000000, mtime=9) + folder("d", 0o700) + file("d/f") + link("l", "d/f")
    + hard("h", "a") + fifo("p") + char("c", 1, 3) + block("b", 7, 0),
    folder("o") + file("o/.wh..wh..opq", "") + file(".wh.gone", "") + file("d/.wh.x", ""),
    file("x" * 90 + "/" + "y" * 90, "long", xattrs={"user.x": "y", "security.capability": bytes(20)}),
    pax(("mtime", "-1.5"), ("size", "3"), ("uid", "70000")) + header("f", b"0", 0) + padded(b"abc"),
    pax(("GNU.sparse.major", "0"), ("GNU.sparse.minor", "1"), ("GNU.sparse.name", "s"), ("GNU.sparse.size", "9000"),
        ("GNU.sparse.map", "0,3,4096,3")) + file("x", "abcdef"),
    pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "9000"))
    + header("x", b"0", 515) + padded(b"1\n4096\n3\n") + padded(b"abc"),
    pax(("GNU.sparse.major", "0"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "9000")) + file("x", ""),
    header("././@LongLink", b"L", 4) + padded(b"abc\0") + header("././@LongLink", b"K", 4) + padded(b"def\0") + link("c", "g"),
    pax(("comment", "c"), kind=b"g") + file("a") + link("a", "d") + folder("a") + file("a/b") + link("m", "../../etc") + file("m/n"),
    pax(("SCHILY.acl.access", "user::rwx,user:5:r--,group::r-x,mask::r-x,other::---"), ("path", "acl")) + file("f"),
]
seeds = []
if kind == "tar":
    seeds = [bytes([how, form]) + a + end for a in archives for how, form in ((64, 0), (255, 3), (0, 5), (9, 1))]
elif kind == "inflate":
    text = archives[0] + os.urandom(300) + b"abc" * 500
    packed = [gzip.compress(text), gzip.compress(text)[:-5], gzip.compress(text) * 2 + b"\0" * 40, bz2.compress(text), lzma.compress(text),
              subprocess.run(["zstd", "-qc"], input=text, stdout=subprocess.PIPE, check=True).stdout,
              b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + subprocess.run(["zstd", "-qc"], input=text, stdout=subprocess.PIPE, check=True).stdout]
    seeds = [bytes([how]) + p for p in packed for how in (0, 1, 255)]
else:
    descriptor = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "1" * 64, "size": 7,
                  "platform": {"os": "linux", "architecture": "arm64", "variant": "v8", "os.features": ["x"]}, "annotations": {"a": "b"}}
    seeds = [json.dumps(d).encode() for d in (
        {"schemaVersion": 2, "manifests": [descriptor, descriptor]},
        {"schemaVersion": 2, "config": descriptor, "layers": [descriptor]},
        {"created": "2020-01-01T00:00:00Z", "architecture": "amd64", "os": "linux", "author": "a", "rootfs": {"type": "layers", "diff_ids": ["x"]},
         "config": {"User": "5:6", "ExposedPorts": {"80/tcp": {}}, "Env": ["A=b", "C"], "Entrypoint": ["a"], "Cmd": ["b"], "Volumes": {"/v": {}},
                    "WorkingDir": "/a/../b", "Labels": {"run.oci.x": "y", "l": "m"}, "StopSignal": "SIGTERM"}},
        [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["l/layer.tar"]}])]
for i, seed in enumerate(seeds):
    with open(f"{out}/seed-{i}", "wb") as f:
        f.write(seed)
