# Images that attack whoever unpacks them: each is refused with a clear error, or contained.
load image_helpers

@test "names with .. are refused" {
	refused "has '..' in it" <<<'layer(file("../../outside/file"))'
	refused "has '..' in it" <<<'layer(file("a/../../b"))'
	refused "has '..' in it" <<<'layer(pax(("path", "../x")), file("x"))'
}

@test "absolute names stay inside" {
	contained <<<'layer(file(OUT + "/file", "new"))'
	is new "$(<"flat/rootfs$OUTSIDE/file")"
}

@test "a link to the host's files is followed inside the root only" {
	contained <<<'layer(link("l", OUT), file("l/file", "new"))'
	is new "$(<"flat/rootfs$OUTSIDE/file")"
	contained <<<'layer(link("l", "../../../../../../../.." + OUT), file("l/file", "new"))'
	is new "$(<"flat/rootfs$OUTSIDE/file")"
}

@test "a link of one layer does not lead the next one out" {
	contained <<<'layer(link("l", OUT)); layer(file("l/file", "new"))'
	is new "$(<"flat/rootfs$OUTSIDE/file")"
}

@test "chains of links and links to /proc stay inside; loops are an error" {
	contained <<<'layer(link("a", "b"), link("b", OUT), file("a/file", "new"))'
	refused "Too many levels" <<<'layer(link("a", "b"), link("b", "a"), file("a/file"))'
	contained <<<'layer(link("a", "/proc/self/cwd/../../outside"), file("a/file", "new"))'
}

@test "an existing link is replaced, not written through" {
	contained <<<'layer(link("f", OUT + "/file"), file("f", "new"))'
	is new "$(<flat/rootfs/f)"
	contained <<<'layer(link("f", OUT + "/file")); layer(file("f", "new"))'
	is new "$(<flat/rootfs/f)"
	contained <<<'layer(link("d", OUT + "/folder"), folder("d", 0o700), file("d/file", "new"))'
	[[ ! -L flat/rootfs/d ]]
}

@test "hard links cannot reach outside" {
	refused "hard link|No such file" <<<'layer(hard("h", OUT + "/file"))'
	refused "has '..' in it" <<<'layer(hard("h", "../../outside/file"))'
	refused "hard link|No such file" <<<'layer(link("l", OUT), hard("h", "l/file"))'
	refused "hard link to the folder" <<<'layer(folder("d"), hard("h", "d"))'
}

@test "a hard link to a link is a second name of the link: writing to it changes nothing else" {
	contained <<<'layer(link("s", OUT + "/file"), hard("h", "s"), file("h", "new"))'
	is new "$(<flat/rootfs/h)"
	[[ -L flat/rootfs/s ]]
}

@test "a folder that becomes a link between two entries does not lead out" {
	contained <<<'layer(folder("d"), file("d/a"), link("d", OUT), file("d/file", "new"))'
	is new "$(<"flat/rootfs$OUTSIDE/file")"
}

@test "the root stays a folder" {
	refused "root would not be a folder" <<<'layer(link(".", OUT))'
	refused "root would not be a folder" <<<'layer(file("./"[:1]))'
	refused "root would not be a folder" <<<'layer(hard("/", "x"))'
}

@test "whiteouts for nothing, for . and for .. are refused" {
	for name in .wh. .wh.. .wh... d/.wh. d/.wh.. d/.wh...; do
		refused "a whiteout for" <<<"layer(file('a')); layer(file('$name', ''))"
	done
	refused "inside a whiteout" <<<'layer(file(".wh.d/x"))'
}

@test "whiteouts and opaque marks through links stay inside" {
	contained <<<'layer(link("l", OUT)); layer(file("l/.wh.file", ""))'
	contained <<<'layer(link("l", OUT)); layer(file("l/.wh..wh..opq", ""))'
	contained <<<'layer(folder("d"), link("d/l", OUT + "/folder")); layer(file("d/.wh.l", ""))'
}

@test "a device 0:0, which overlayfs takes for a whiteout, is refused" {
	refused "0:0" <<<'layer(file("a")); layer(char("a", 0, 0))'
}

@test "overlayfs' own xattrs, labels of the host and trusted.* are left out" {
	make evil <<-'E'
		layer(folder("d", xattrs={"trusted.overlay.redirect": "/etc", "trusted.overlay.opaque": "y", "user.overlay.opaque": "y",
			"security.selinux": "x", "trusted.t": "x", "user.keep": "k", "user.skiff.owner": "1:1"}))
	E
	image import --quiet oci:evil
	run xattrs "$(lower t)/d"
	is "{'user.keep': b'k'}"
	image unpack --quiet --trusted-xattrs --flat oci:evil flat
	run xattrs flat/rootfs/d
	[[ $output == *trusted.t* && $output != *overlay* ]]
}

@test "ids beyond 4294967294 and below 0 are refused" {
	refused "uid" <<<'layer(file("a", uid=2**32 - 1))'
	refused "uid" <<<'layer(file("a", uid=2**32))'
	refused "gid" <<<'layer(file("a", gid=-1))'
	refused "uid" <<<'layer(pax(("uid", "4294967295")), file("a"))'
	refused "gid" <<<'layer(pax(("gid", "-1")), file("a"))'
	contained <<<'layer(file("a", uid=2**32 - 2, gid=4000000))'
	is 4294967294:4000000 "$(stat -c %u:%g flat/rootfs/a)"
}

@test "NUL bytes and emptiness in pax values are refused" {
	refused "NUL" <<<'layer(pax(("path", b"a\0b")), file("a"))'
	refused "NUL" <<<'layer(pax(("linkpath", b"a\0b")), link("a", "b"))'
	refused "empty" <<<'layer(pax(("path", "")), file("a"))'
	refused "damaged" <<<'layer(header("p", b"x", 12) + padded(b"12 path=abc!") + file("a"))'
	refused "damaged" <<<'layer(header("p", b"x", 12) + padded(b"99 path=abc\n") + file("a"))'
}

@test "the size of a pax header counts, for the content and for what is skipped" {
	contained <<-'E'
		inner = file("hidden")
		layer(pax(("size", str(len(inner)))), header("a", b"0", 0), inner, file("b"))
	E
	[[ ! -e flat/rootfs/hidden && -e flat/rootfs/b && $(stat -c %s flat/rootfs/a) == 1024 ]]
	refused "size" <<<'layer(pax(("size", "-1")), file("a"))'
	refused "negative" <<<'layer(header("a", b"0", -512))'
}

@test "large extended headers and too large or too many xattrs are refused" {
	refused "more than 1 MiB" <<<'layer(pax(("comment", "x" * (2 << 20))), file("a"))'
	refused "more than 1 MiB" <<<'layer(header("././@LongLink", b"L", 2 << 20) + b"x" * (2 << 20), file("a"))'
	refused "64 KiB" <<<'layer(file("a", xattrs={"user.x": "x" * 70000}))'
	refused "xattrs" <<<'layer(file("a", xattrs={"user.%d" % i: "x" for i in range(600)}))'
}

@test "two long names for one entry, two pax headers, global names are refused" {
	refused "two long names" <<<'layer(header("L", b"L", 4) + padded(b"abc\0") + pax(("path", "b")), file("c"))'
	refused "two pax headers" <<<'layer(pax(("path", "a")), pax(("path", "b")), file("c"))'
	refused "for all entries" <<<'layer(pax(("path", "a"), kind=b"g"), file("c"))'
}

@test "sparse files with a wrong or huge map are refused" {
	sparse() { refused "$1" <<<"layer(pax(('GNU.sparse.major', '0'), ('GNU.sparse.minor', '1'), ('GNU.sparse.name', 'a'), ('GNU.sparse.size', '$2'), ('GNU.sparse.map', '$3')), file('x', 'abc'))"; }
	sparse "max-size" 9223372036854775807 0,3
	sparse "not in order" 100 50,1,40,2
	sparse "not in order" 10 9,3
	sparse "does not fit" 100 0,2
	sparse "damaged" 100 0,x
	sparse "damaged" 100 0,3,5
	sparse "not in order" 18 1,18446744073709551615
}

@test "a bomb stops at the limit" {
	make evil <<<'layer(file("a", b"\0" * (8 << 20)), pack="gzip")'
	run image import --quiet --max-size 1m oci:evil
	[[ $status == 1 && $output == *--max-size* ]]
	make evil <<<'layer(*[file("f%d" % i) for i in range(100)])'
	run image import --quiet --max-entries 50 oci:evil
	[[ $status == 1 && $output == *--max-entries* ]]
	image import --quiet --max-entries 100 oci:evil
	# what no entry has counts too: behind the end of the archive
	make evil <<<'layer(file("a"), end=b"\0" * (64 << 20), pack="gzip")'
	for verb in "import" "unpack --flat"; do
		run image $verb --quiet --max-size 1m --max-entries 100 oci:evil ${verb:+$([[ $verb == import ]] || echo bundle)}
		[[ $status == 1 && $output == *--max-size* ]] || { echo "$verb: $output"; return 1; }
	done
}

@test "a layer that grows a hundred times is told" {
	make evil <<<'layer(file("a", b"\0" * (80 << 20)), pack="gzip")'
	run -0 image import --quiet oci:evil
	[[ $output == *"bytes become 8388"* ]] || { echo "$output"; return 1; }
	make honest <<<'import random; layer(file("a", random.Random(1).randbytes(4 << 20) * 2), pack="gzip")'
	run -0 image import --quiet oci:honest
	[[ $output != *become* ]]
}

@test "deep trees, long names and long paths" {
	refused "255 bytes" <<<'layer(file("n" * 256))'
	refused "more than 1024" <<<'layer(file("d/" * 1100 + "f"))'
	refused "32 KiB|32768" <<<'layer(file(("x" * 200 + "/") * 200 + "f"))'
	contained <<<'layer(file(("x" * 200 + "/") * 60 + "f", "deep", mtime=5), file("d/" * 1000 + "f"))'
	image rm t
	[[ -z $(ls store/layers) ]]
}

@test "archives that end too early or are damaged are refused" {
	refused "too early" <<<'layer(header("a", b"0", 10000) + b"x" * 700, end=b"")'
	refused "too early" <<<'layer(header("a", b"0", 10) , end=b"")'
	refused "max-size" <<<'layer(header("a", b"0", 2**62), end=b"")'
	refused "not a tar" <<<'layer(b"garbage " * 64)'
	refused "behind a block" <<<'layer(file("a"), b"\0" * 512, file("b"))'
	refused "unknown type" <<<'layer(header("a", b"Z"))'
}

@test "gzip: a wrong CRC, a wrong length, junk behind and a cut are refused; padding and members are fine" {
	for inflate in best zlib; do
		image() { timeout -k 1 20 "$IMAGE" "$1" --root "$store" $([[ $1 == import || $1 == unpack ]] && echo --inflate=$inflate) "${@:2}" 3>&- 4>&-; }
		refused "gzip" <<<'import gzip; layer(file("a"), pack=lambda t: gzip.compress(t)[:-8] + b"1234" + gzip.compress(t)[-4:])'
		refused "gzip" <<<'import gzip; layer(file("a"), pack=lambda t: gzip.compress(t)[:-1] + b"9")'
		refused "gzip: the data ends" <<<'import gzip; layer(file("a"), pack=lambda t: gzip.compress(t)[:-9])'
		refused "gzip: there is something" <<<'layer(file("a"), pack="gzip", after=b"junk")'
		contained <<<'layer(file("a"), pack="gzip", after=b"\0" * 700)'
		contained <<<'import gzip; layer(file("a", b"y" * 3000), pack=lambda t: b"".join(gzip.compress(t[i:i + 7]) for i in range(0, len(t), 7)))'
		is 3000 "$(stat -c %s flat/rootfs/a)"
		rm -rf store
	done
}

@test "digests are strict before they become a path" {
	make evil <<<'layer(file("a"), digest="sha256:../../../../outside/file")'
	refused_import_only() { run image import --quiet oci:evil; [[ $status == 1 && $output =~ $1 ]] || { echo "$output"; return 1; }; }
	refused_import_only "is not a digest"
	for digest in sha256:abc "sha256:$(printf 'A%.0s' {1..64})" "md5:$(printf 'a%.0s' {1..32})" "$(printf 'a%.0s' {1..64})"; do
		make evil <<<"layer(file('a'), digest='$digest')"
		refused_import_only "is not a digest"
	done
	untouched
}

@test "a blob that is a link, a fifo or a folder is refused without waiting" {
	make evil <<<'layer(file("a"))'
	blob=$(python3 -c 'import json; i = json.load(open("evil/index.json")); m = json.load(open("evil/blobs/" + i["manifests"][0]["digest"].replace(":", "/"))); print("evil/blobs/" + m["layers"][0]["digest"].replace(":", "/"))')
	mv "$blob" kept
	ln -s "$PWD/kept" "$blob"
	LIMIT=5 run image import --quiet oci:evil
	[[ $status == 1 && $output == *"Too many levels"* ]]
	rm "$blob"; mkfifo "$blob"
	LIMIT=5 run image import --quiet oci:evil
	[[ $status == 1 && $output == *"not a file"* ]]
	rm "$blob"; mkdir "$blob"
	LIMIT=5 run image import --quiet oci:evil
	[[ $status == 1 && $output == *"not a file"* ]]
}

@test "wrong digests, sizes and diff_ids are refused" {
	refused "the digest is" <<<'layer(file("a"), algorithm="sha256", digest=None); import hashlib, os
other = b"".join([file("b")]) + b"\0" * 1024
d = hashlib.sha256(layers[0]["blob"]).hexdigest()
_put = open(sys.argv[1] + "/blobs/sha256/" + "0" * 64, "wb").write(layers[0]["blob"])
layers[0]["digest"] = "sha256:" + "0" * 64'
	refused "bytes, not" <<<'layer(file("a"), size=2049)'
	refused "bytes, not" <<<'layer(file("a"), size=2047)'
	refused "negative" <<<'layer(file("a"), size=-1)'
	refused "the diff_id is" <<<'layer(file("a"), diff_id="sha256:" + "1" * 64)'
	refused "diff_ids for" <<<'layer(file("a")); set(diff_ids=[])'
	refused "diff_ids for" <<<'layer(file("a")); set(diff_ids=["sha256:" + "1" * 64] * 2)'
}

@test "an image cannot claim a stored layer that it does not have" {
	make good <<<'layer(file("secret", "s"))'
	image import --quiet oci:good
	diff_id=$(python3 -c 'import json; i = json.load(open("good/index.json")); m = json.load(open("good/blobs/" + i["manifests"][0]["digest"].replace(":", "/"))); c = json.load(open("good/blobs/" + m["config"]["digest"].replace(":", "/"))); print(c["rootfs"]["diff_ids"][0])')
	make evil <<<"layer(file('mine'), diff_id='$diff_id')"
	run image import --quiet oci:evil
	[[ $status == 1 && $output == *"the diff_id is"* ]]
}

@test "documents that readers disagree about are refused" {
	refused "both an index" <<<'layer(file("a")); set(manifest={"manifests": [{"digest": "sha256:" + "1" * 64, "size": 1}]})'
	refused "descriptor says|media type" <<<'layer(file("a")); set(manifest={"mediaType": "application/vnd.oci.image.index.v1+json"})'
	refused "twice" <<<'layer(file("a")); set(manifest_text="{\"schemaVersion\": 2, \"schemaVersion\": 2}")'
	refused "diff_ids for|no .config|no image" <<<'layer(file("a")); set(manifest={"layers": [], "Layers": []})'
	refused "unknown media type" <<<'layer(file("a"), media="text/plain")'
	refused "schemaVersion" <<<'layer(file("a")); set(manifest={"schemaVersion": 1})'
	refused "deep|nest" <<<'layer(file("a")); set(manifest={"x": 0}, manifest_text="{\"x\":" + "[" * 100000 + "]" * 100000 + "}")'
	refused "is not from 0 to" <<<'layer(file("a")); set(manifest={"annotations": {"a": "x" * (8 << 20)}})'
}

@test "indexes that nest too deep or without end are refused" {
	refused "nest deeper|more than" <<-'E'
		import hashlib
		layer(file("a"))
		def put(text):
		    data = text.encode()
		    d = hashlib.sha256(data).hexdigest()
		    open(sys.argv[1] + "/blobs/sha256/" + d, "wb").write(data)
		    return {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:" + d, "size": len(data)}
		x = put('{"schemaVersion": 2, "manifests": [{"digest": "sha256:%s", "size": 3}]}' % ("1" * 64))
		for i in range(200):
		    x = put(json.dumps({"schemaVersion": 2, "manifests": [x]}))
		set(manifests=[x])
	E
}

@test "more layers than overlayfs can stack are refused" {
	refused "500" <<<'layer(file("a")); layers *= 501'
}

@test "the user is looked up in the image, never on the host" {
	make evil <<<'layer(folder("etc"), link("etc/passwd", OUT + "/passwd")); config(User="hostuser")'
	echo "hostuser:x:4242:4242::/:/bin/sh" >"$OUTSIDE/passwd"
	before=$(outside_now)
	image import --quiet oci:evil
	run image prepare --quiet t
	[[ $status == 1 && $output == *"no user 'hostuser'"* ]]
	run image unpack --quiet --flat t bundle
	[[ $status == 1 && $output == *"no user 'hostuser'"* && ! -e bundle ]]
	make evil <<<'layer(folder("etc"), fifo("etc/passwd")); config(User="hostuser")'
	image import --quiet oci:evil
	LIMIT=5 run image prepare --quiet t
	[[ $status == 1 && $output == *"not a file"* ]]
}

@test "WorkingDir and Volumes cannot lead out of the root" {
	for setting in 'WorkingDir="../../.."' 'WorkingDir="/a/../../x"' 'Volumes={"/": {}}' 'Volumes={"/proc/x": {}}' 'Volumes={"../x": {}}'; do
		make evil <<<"layer(file('a')); config($setting)"
		rm -rf store
		image import --quiet oci:evil
		run image prepare --quiet t
		[[ $status == 1 ]] || { echo "$setting: $output"; return 1; }
	done
}

@test "users beyond the range are refused" {
	for user in 4294967295 4294967296 -1 99999999999999999999 0:4294967295 nobody:1:2; do
		make evil <<<"layer(file('a')); config(User='$user')"
		rm -rf store
		image import --quiet oci:evil
		run image prepare --quiet t
		[[ $status == 1 && $output == *User* ]] || { echo "$user: $output"; return 1; }
	done
}

@test "labels do not become annotations that steer the runtime" {
	make evil <<<'layer(file("a")); config(Labels={"run.oci.hooks.stdout": "/x", "run.oci.handler": "vm", "my.label": "1", "org.opencontainers.image.os": "mine"})'
	image import --quiet oci:evil
	run image prepare --quiet t
	[[ $status == 0 && $output != *run.oci* && $output == *'"my.label":"1"'* && $output == *'"org.opencontainers.image.os":"mine"'* ]]
}

@test "a name cannot leave the folder of names" {
	make good <<<'layer(file("a"))'
	image import --quiet --name ../../../outside/ref oci:good
	untouched
	[[ -e store/refs/%2E.%2F..%2F..%2Foutside%2Fref ]]
	for name in "" "a b" -x 'a%2Fb' sha256:x; do
		run image import --quiet --name "$name" oci:good
		[[ $status == 1 ]]
	done
}

@test "where the extractor itself goes astray the kernel keeps it inside" {
	python3 -c 'import ctypes; raise SystemExit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 2)' || skip "this kernel has no Landlock that can confine"
	gcc -shared -fPIC -o astray.so "$top/tests/data/astray.c"
	for recipe in 'layer(file("astray"))' 'layer(folder("astray"))' 'layer(link("astray", "x"))' 'layer(fifo("astray"))' \
		'layer(char("astray", 1, 3))' 'layer(file("a"), hard("astray", "a"))' 'layer(file("gone"), link("gone", "x"))'; do
		make evil <<<"$recipe"
		for flat in "" --flat; do
			rm -rf store bundle
			run env LD_PRELOAD="$PWD/astray.so" "$IMAGE" unpack --root "$store" --quiet $flat oci:evil bundle
			[[ $status == 1 && $output =~ "Permission denied"|"cross-device" ]] || { echo "$recipe $flat: $status: $output"; return 1; }
			[[ ! -e bundle || $recipe == *gone* ]] || { echo "$recipe $flat"; find bundle; return 1; }
			untouched
		done
	done
}

@test "users of the host cannot reach what is setuid in an image" {
	make evil <<<'layer(folder("bin", 0o777), file("bin/root", mode=0o4755))'
	chmod 755 "$PWD"
	image import --quiet oci:evil
	is 700 "$(stat -c %a store)"
	is 4755 "$(stat -c %a "$(lower t)/bin/root")"
	run setpriv --reuid 65534 --regid 65534 --clear-groups stat "$(lower t)/bin/root"
	[[ $status == 1 && $output == *"Permission denied"* ]]
}

@test "devices of an image: made, left out or refused, as is asked for" {
	make evil <<<'layer(block("disk", 8, 0, mode=0o666), file("f"))'
	image unpack --quiet --flat oci:evil made
	[[ -b made/rootfs/disk ]]
	image unpack --quiet --flat --devices skip oci:evil skipped
	[[ ! -e skipped/rootfs/disk && -f skipped/rootfs/f ]]
	run image unpack --quiet --flat --devices fail oci:evil failed
	[[ $status == 1 && $output == *"--devices is fail"* && ! -e failed ]]
}

@test "a store where upper and lower case are one is refused" {
	# few kernels can make such a folder: the answer of one, FS_CASEFOLD_FL to FS_IOC_GETFLAGS
	gcc -shared -fPIC -x c -o folds.so - <<-'E'
		#include <linux/fs.h>
		int ioctl(int fd, unsigned long request, unsigned *flags)
		{
			return request == FS_IOC_GETFLAGS ? (*flags = FS_CASEFOLD_FL, 0) : -1;
		}
	E
	run env LD_PRELOAD="$PWD/folds.so" "$IMAGE" ls --root "$store"
	[[ $status == 1 && $output == *"upper from lower case"* ]] || { echo "$output"; return 1; }
}
