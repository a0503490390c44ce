"""usage: seeds.py tar|inflate|documents|kernel|virtio|vsock DIR: what fuzzers begin with, made as the tests of images make theirs."""
import bz2
import gzip
import json
import lzma
import os
import struct
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
elif kind == "kernel":
    def elf(name):
        segments = struct.pack("<IIQQQQQQ", 1, 5, 0x200, 0, 0x200000, 0x100, 0x2000, 0x1000) + struct.pack("<IIQQQQQQ", 4, 0, 176, 0, 0, 28, 28, 4)
        note = struct.pack("<III", 4, 8, 18) + name + struct.pack("<Q", 0x200010)
        section = struct.pack("<IIQQQQIIQQ", 0, 1, 2, 0, 0x200, 0x100, 0, 0, 0, 0)
        head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x200000, 64, 0x300, 0, 64, 56, 2, 64, 1, 0)
        return (head + segments + note).ljust(0x200, b"\0") + b"code".ljust(0x100, b"\x90") + section
    image = bytearray(2048)
    image[0x1f1], image[0x201], image[0x211], image[0x236] = 1, 0x6a, 1, 1
    image[0x202:0x208] = b"HdrS\x0f\x02"
    image[0x258:0x264] = struct.pack("<QI", 0x400000, 0x10000)
    seeds = [elf(b"Xen\0"), elf(b"GNU\0"), bytes(image)]
elif kind == "virtio":
    def descriptor(queue, nr, at, size, flags, following):
        return struct.pack("<BBBHHBB", 3, queue, nr, at, size, flags, following)

    def offered(queue, head):
        return bytes([4, queue, head, 5, queue, 8])
    # the console: ready; the port's name; open; bytes both ways
    control = b"".join(bytes([2]) + struct.pack("<HB", 0x8000 + i, v) for i, v in enumerate([0, 0, 0, 0, 0, 0, 1, 0]))
    console = descriptor(2, 0, 0x100, 64, 2, 0) + offered(2, 0) + control + descriptor(3, 0, 0, 8, 0, 0) + offered(3, 0) + offered(3, 0)
    streams = descriptor(0, 0, 0x200, 64, 2, 0) + offered(0, 0) + bytes([6, 20, 8]) + descriptor(1, 0, 0x300, 64, 0, 0) + offered(1, 0) + bytes([7])
    disk = b"".join(descriptor(0, i, i * 0x400, n, f, i + 1) for i, (n, f) in enumerate([(16, 1), (512, 3), (1, 2)])) + offered(0, 0)
    seeds = [bytes([0, how, 0]) + descriptor(0, 0, 0, 64, 2, 0) + offered(0, 0) for how in (0, 1)]
    seeds += [bytes([1, how, 0]) + console + streams for how in (0, 1)]
    seeds += [bytes([2, 1, 0]) + disk, bytes([3, 1, 0]) + descriptor(0, 0, 0, 8, 0, 0) + offered(0, 0) + descriptor(2, 0, 0, 4096, 2, 0) + offered(2, 0)]
elif kind == "vsock":
    def packet(operation, how=0, flags=0, room=60000, size=0):
        return struct.pack("<BBBBHH", 0, how, operation, flags, room, 0) + (struct.pack("<H", size) if operation == 5 else b"") + b"\0"
    room, turn, yes, no = bytes([3, 7]), bytes([10]), bytes([5, 0, 1]), bytes([5, 1])

    def host(how, what):
        return bytes([7, how, what])
    write, read, end, close = 25, 26, 2, 4
    opened = room + packet(1) + turn + turn + yes + turn + turn
    seeds = [opened + packet(5, size=500) + turn + host(1, read) + host(1, write) + turn + room + turn + packet(4, flags=2) + turn + host(1, end) + turn,
             opened + packet(5, size=500) + host(1, close) + turn + packet(4, flags=3) + turn + turn, room + packet(1) + turn + no + turn + turn,
             room + bytes([4, 0, 2]) + turn + turn + turn + packet(2, 64) + packet(5, 64, size=9) + turn + host(2, read) + host(2, close) + turn + turn,
             opened + packet(7) + packet(6) + packet(3) + turn + packet(1, 1, room=3) + turn + yes + turn + host(1, write) + turn + packet(6, 1, room=9) + turn]
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
