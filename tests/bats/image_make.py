"""Images made by hand, also such as no honest tool would make.

usage: image_make.py DIR < RECIPE

A recipe is Python: each call of layer(...) adds a layer to the OCI layout DIR, config(...) adds to the
configuration. Entries are made by file(), folder(), link(), hard(), fifo(), char(), block(), raw(), pax().
"""
import gzip
import hashlib
import json
import os
import sys

layers = []
settings = {"config": {}, "diff_ids": None, "manifest": {}, "descriptor": {}, "top": {}}


def number(value, width):
    if isinstance(value, bytes):
        return value
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return (value & (2 ** (8 * width - 1) - 1) | 1 << (8 * width - 1)).to_bytes(width, "big")


def header(name, kind, size=0, link=b"", mode=0o644, uid=0, gid=0, mtime=0, major=0, minor=0,
           magic=b"ustar\x0000", prefix=b"", tail=None):
    name = name.encode() if isinstance(name, str) else name
    link = link.encode() if isinstance(link, str) else link
    h = (name[:100].ljust(100, b"\0") + number(mode, 8) + number(uid, 8) + number(gid, 8) + number(size, 12)
         + number(mtime, 12) + b" " * 8 + kind + link[:100].ljust(100, b"\0") + magic + b"root".ljust(32, b"\0")
         + b"root".ljust(32, b"\0") + number(major, 8) + number(minor, 8))
    h += prefix.ljust(167, b"\0") if tail is None else tail.ljust(167, b"\0")
    return h[:148] + b"%06o\0 " % sum(h) + h[156:]


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def records(pairs):
    out = b""
    for key, value in pairs:
        key = key.encode() if isinstance(key, str) else key
        value = value.encode() if isinstance(value, str) else value
        rest = len(key) + len(value) + 3
        size = rest + 1
        while rest + len(str(size)) != size:
            size = rest + len(str(size))
        out += b"%d %s=%s\n" % (size, key, value)
    return out


def pax(*pairs, kind=b"x"):
    data = records(pairs)
    return header("pax", kind, len(data)) + padded(data)


def raw(data):
    return data


def named(name, link, xattrs):
    """What does not fit into a header, in a pax header before it."""
    extra = [("SCHILY.xattr." + k, v) for k, v in (xattrs or {}).items()]
    if len(name if isinstance(name, bytes) else name.encode()) > 100:
        extra.append(("path", name))
    if len(link if isinstance(link, bytes) else link.encode()) > 100:
        extra.append(("linkpath", link))
    return pax(*extra) if extra else b""


def file(name, data=b"x", xattrs=None, **more):
    data = data.encode() if isinstance(data, str) else data
    return named(name, "", xattrs) + header(name, b"0", len(data), **more) + padded(data)


def folder(name, mode=0o755, xattrs=None, **more):
    return named(name, "", xattrs) + header(name, b"5", mode=mode, **more)


def link(name, target, xattrs=None, **more):
    return named(name, target, xattrs) + header(name, b"2", link=target, mode=0o777, **more)


def hard(name, target, **more):
    return named(name, target, None) + header(name, b"1", link=target, **more)


def fifo(name, **more):
    return header(name, b"6", **more)


def char(name, major, minor, **more):
    return header(name, b"3", major=major, minor=minor, **more)


def block(name, major, minor, **more):
    return header(name, b"4", major=major, minor=minor, **more)


def layer(*entries, pack=None, end=b"\0" * 1024, media=None, after=b"", digest=None, size=None, diff_id=None,
          algorithm="sha256"):
    tar = b"".join(entries) + end
    blob = tar
    if pack == "gzip":
        blob = gzip.compress(tar, 6, mtime=0)
    elif pack:
        blob = pack(tar)
    layers.append({"tar": tar, "blob": blob + after, "media": media, "digest": digest, "size": size,
                   "diff_id": diff_id, "algorithm": algorithm})


def config(**values):
    settings["config"].update(values)


def set(**values):
    settings.update(values)


def main():
    out = sys.argv[1]
    os.makedirs(out + "/blobs/sha256", exist_ok=True)
    os.makedirs(out + "/blobs/sha512", exist_ok=True)
    scope = globals()
    scope["OUT"] = os.environ.get("OUTSIDE", "/nonexistent")
    exec(sys.stdin.read(), scope)

    def put(data, algorithm="sha256"):
        digest = hashlib.new(algorithm, data).hexdigest()
        with open(f"{out}/blobs/{algorithm}/{digest}", "wb") as f:
            f.write(data)
        return f"{algorithm}:{digest}"

    descriptors, diff_ids = [], []
    for item in layers:
        digest = put(item["blob"], item["algorithm"])
        media = item["media"] or "application/vnd.oci.image.layer.v1.tar" + (
            "+gzip" if item["blob"][:2] == b"\x1f\x8b" else "")
        size = len(item["blob"]) if item["size"] is None else item["size"]
        descriptors.append({"mediaType": media, "digest": item["digest"] or digest, "size": size})
        diff_ids.append(item["diff_id"] or "sha256:" + hashlib.sha256(item["tar"]).hexdigest())
    wanted = settings["diff_ids"]
    image = {"architecture": "amd64", "os": "linux", "config": settings["config"],
             "rootfs": {"type": "layers", "diff_ids": diff_ids if wanted is None else wanted}}
    image.update(settings["top"])
    data = json.dumps(image).encode()
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": put(data),
                           "size": len(data)},
                "layers": descriptors}
    manifest.update(settings["manifest"])
    data = settings.get("manifest_text") or json.dumps(manifest)
    data = data.encode() if isinstance(data, str) else data
    descriptor = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": put(data), "size": len(data),
                  "annotations": {"org.opencontainers.image.ref.name": "t"}}
    descriptor.update(settings["descriptor"])
    with open(out + "/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": settings.get("manifests") or [descriptor]}, f)
    with open(out + "/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion": "1.0.0"}')


if __name__ == "__main__":
    main()
