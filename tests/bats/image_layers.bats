# What layers become: the cases that tools disagree about, decided by the image specification, in both forms.
load image_helpers

# shows the image "t" as overlayfs does, at merged
mounted() {
	mkdir -p shown
	unshare -m sh -ec "$IMAGE mount --root $store t shown && $1"
}

# The recipe gives the same tree flat, out of the store, and by overlayfs.
agrees() {
	contained
	mkdir -p shown
	unshare -m bash -ec "$(declare -f same_tree); top=$top; $IMAGE mount --root $store t shown; same_tree flat/rootfs shown"
}

@test "whiteouts hide what is below, opaque folders everything below" {
	agrees <<'E1'
layer(folder("d"), file("d/a"), file("d/b"), folder("o"), file("o/a"), file("o/b"), file("gone"), folder("sub"), file("sub/x"))
layer(file("d/.wh.a", ""), folder("o"), file("o/.wh..wh..opq", ""), file("o/c"), file(".wh.gone", ""), file(".wh.sub", ""))
E1
	is "$(cd flat/rootfs && find . | sort | xargs)" ". ./d ./d/b ./o ./o/c"
}

@test "an opaque mark after its siblings hides the lower ones only" {
	agrees <<<'layer(folder("o"), file("o/a"), file("o/b")); layer(folder("o"), file("o/a", "new"), file("o/c"), file("o/.wh..wh..opq", ""))'
	is "$(cd flat/rootfs && find . | sort | xargs)" ". ./o ./o/a ./o/c"
	is new "$(<flat/rootfs/o/a)"
}

@test "a whiteout and an entry of one name in one layer: the entry stays, in either order" {
	agrees <<<'layer(file("a", "old"), file("b", "old")); layer(file(".wh.a", ""), file("a", "new"), file("b", "new"), file(".wh.b", ""))'
	is new "$(<flat/rootfs/a)"
	is new "$(<flat/rootfs/b)"
	agrees <<<'layer(folder("d"), file("d/old")); layer(folder("d"), file("d/new"), file(".wh.d", ""))'
	is "$(cd flat/rootfs && find . | sort | xargs)" ". ./d ./d/new"
	agrees <<<'layer(folder("d"), file("d/old")); layer(file(".wh.d", ""), folder("d", 0o700), file("d/new"))'
	is "$(cd flat/rootfs && find . | sort | xargs)" ". ./d ./d/new"
}

@test "something below a folder that the same layer whites out: a new folder" {
	agrees <<<'layer(folder("d", 0o700, mtime=7), file("d/old")); layer(file(".wh.d", ""), file("d/c"))'
	is "$(cd flat/rootfs && find . | sort | xargs)" ". ./d ./d/c"
}

@test "an opaque root hides all layers below" {
	agrees <<<'layer(file("a"), folder("d")); layer(file(".wh..wh..opq", ""), file("b")); layer(file("c"))'
	is "$(cd flat/rootfs && find . | sort | xargs)" ". ./b ./c"
}

@test "a hard link to a file of a layer below is a copy that both names share" {
	agrees <<<'layer(folder("d", mtime=3), file("d/a", "content", uid=5, mode=0o4755, mtime=9, xattrs={"user.x": "y"})); layer(hard("b", "d/a"))'
	[[ flat/rootfs/b -ef flat/rootfs/d/a ]]
	is "4755 5 9" "$(stat -c '%a %u %Y' flat/rootfs/b)"
}

@test "a folder without an entry of its own is like the one below" {
	agrees <<<'layer(folder("d", 0o700, uid=1234, mtime=11, xattrs={"user.x": "y"}), folder("d/e", 0o711, mtime=12)); layer(file("d/e/f"))'
	is "700 1234 11" "$(stat -c '%a %u %Y' flat/rootfs/d)"
	is "711 0 12" "$(stat -c '%a %u %Y' flat/rootfs/d/e)"
}

@test "a layer that depends on what is below is kept once for each parent" {
	make one <<<'layer(folder("d", 0o700)); layer(file("d/f"))'
	make two <<<'layer(folder("d", 0o711)); layer(file("d/f"))'
	image import --quiet --name one oci:one
	image import --quiet --name two oci:two
	is 700 "$(stat -c %a "$(lower one | head -1)/d")"
	is 711 "$(stat -c %a "$(lower two | head -1)/d")"
}

@test "a path through a link of a layer below goes where the link leads" {
	agrees <<<'layer(folder("usr"), folder("usr/lib", mtime=4), link("lib", "usr/lib")); layer(file("lib/f"))'
	[[ -L flat/rootfs/lib && -f flat/rootfs/usr/lib/f ]]
	agrees <<<'layer(folder("a"), folder("a/b"), link("l", "/a/../a/b")); layer(file("l/f")); layer(file("l/.wh.f", ""), file("l/g"))'
	[[ ! -e flat/rootfs/a/b/f && -f flat/rootfs/a/b/g ]]
}

@test "the last of equal names wins" {
	agrees <<<'layer(file("a", "first"), file("a", "last"), folder("b"), file("b/x"), file("b", "now"), file("c"), folder("c"), link("d", "x"), file("d", "f"))'
	is last "$(<flat/rootfs/a)"
	is now "$(<flat/rootfs/b)"
	[[ -d flat/rootfs/c && ! -L flat/rootfs/d ]]
}

@test "kinds of files change from layer to layer" {
	agrees <<<'layer(folder("a"), file("a/x"), file("b"), link("c", "a"), fifo("d"), link("e", "a")); layer(file("a"), folder("b"), file("b/x"), folder("c"), file("d"), char("e", 1, 3))'
	[[ -f flat/rootfs/a && -d flat/rootfs/b && -d flat/rootfs/c && ! -L flat/rootfs/c && -f flat/rootfs/d && -c flat/rootfs/e ]]
}

@test "the root's own entry counts, wherever it stands" {
	agrees <<<'layer(folder("./", 0o710, uid=7, mtime=77), file("a")); layer(file("b"))'
	is "710 7 77" "$(stat -c '%a %u %Y' flat/rootfs)"
	agrees <<<'layer(file("a"))'
	is "755 0 0" "$(stat -c '%a %u %Y' flat/rootfs)"
}

@test "owners, modes, devices, times before 1970, after 2106 and with nanoseconds" {
	agrees <<-'E1'
		layer(file("a", uid=100000, gid=4294967294, mode=0o6755), folder("d", 0o1777, mtime=5), char("c", 10, 229), block("b", 259, 70000),
			fifo("p", mode=0o620), pax(("mtime", "-86400.000000001")), file("old"), pax(("mtime", "5000000000.123456789")), file("new"),
			pax(("mtime", "-1.5")), link("l", "nowhere"), file("neg", mtime=-1000))
	E1
	python3 - <<-'E1'
		import os
		want = {"old": -86400000000001, "new": 5000000000123456789, "l": -1500000000, "neg": -1000 * 10**9}
		for name, ns in want.items():
		    assert os.lstat("flat/rootfs/" + name).st_mtime_ns == ns, (name, os.lstat("flat/rootfs/" + name).st_mtime_ns)
	E1
}

@test "xattrs, also empty ones, file capabilities and both forms of ACLs" {
	agrees <<-'E1'
		cap2 = bytes.fromhex("0100000200040000000000000000000000000000")
		cap3 = bytes.fromhex("010000030004000000000000000000000000000010270000")
		layer(file("a", xattrs={"user.x": "v", "user.empty": "", "user.bin": b"a\0b\n="}), file("c2", xattrs={"security.capability": cap2}),
			file("c3", xattrs={"security.capability": cap3}), folder("d", xattrs={"user.d": "1"}),
			pax(("SCHILY.acl.access", "user::rwx,user:1000:r-x,group::r-x,mask::r-x,other::r--")), file("acl", mode=0o754),
			pax(("SCHILY.acl.default", "user::rwx,group::r-x,group:55:rwx,mask::rwx,other::---")), folder("dd"), file("dd/plain", mode=0o604),
			pax(("LIBARCHIVE.xattr.user.b64", "aGVsbG8=")), file("b64"))
	E1
	run python3 -c 'import os; g = os.getxattr; r = "flat/rootfs/"
print(g(r + "a", "user.empty"), g(r + "a", "user.bin"), g(r + "b64", "user.b64"), len(g(r + "c2", "security.capability")), len(g(r + "c3", "security.capability")), len(g(r + "acl", "system.posix_acl_access")), len(g(r + "dd", "system.posix_acl_default")), os.listxattr(r + "dd/plain"))'
	is "b'' b'a\\x00b\\n=' b'hello' 20 24 44 44 []"
	is 604 "$(stat -c %a flat/rootfs/dd/plain)"
}

@test "sparse files of all formats keep their holes" {
	make evil <<-'E1'
		d = b"A" * 512 + b"B" * 512
		m = [(1 << 20, 512), (3 << 20, 512)]
		real = 4 << 20
		flat = ",".join("%d,%d" % s for s in m)
		one = padded(b"2\n" + b"".join(b"%d\n%d\n" % s for s in m))
		layer(
			pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s10"), ("GNU.sparse.realsize", str(real))), file("x", one + d),
			pax(("GNU.sparse.major", "0"), ("GNU.sparse.minor", "1"), ("GNU.sparse.name", "s01"), ("GNU.sparse.size", str(real)), ("GNU.sparse.map", flat)), file("x", d),
			pax(("GNU.sparse.size", str(real)), ("GNU.sparse.numblocks", "2"), *[p for s in m for p in (("GNU.sparse.offset", str(s[0])), ("GNU.sparse.numbytes", str(s[1])))]), file("s00", d))
	E1
	image import --quiet oci:evil
	image unpack --quiet --flat t flat
	for f in s10 s01 s00; do
		is 4194304 "$(stat -c %s flat/rootfs/$f)"
		is 0000000:4141 "$(xxd -s 1048576 -l 2 -p flat/rootfs/$f | sed 's/^/0000000:/')"
		(($(stat -c %b flat/rootfs/$f) <= 64))
	done
	image verify --quiet t
}

@test "old GNU sparse files, long names and base-256 numbers as GNU tar writes them" {
	mkdir src
	truncate -s 8M src/holes
	printf data | dd of=src/holes bs=1 seek=5000000 conv=notrunc status=none
	long=$(printf 'n%.0s' {1..200})
	mkdir "src/$long"
	echo x >"src/$long/$long"
	ln -s "$long/$long" src/l
	ln "src/$long/$long" src/h
	touch -d @-5 src/old
	for format in gnu oldgnu pax ustar v7; do
		rm -rf store out
		args=(--sparse --owner=3000000)
		[[ $format == ustar || $format == v7 ]] && args=(--exclude "$long" --exclude l --exclude h --exclude old)
		tar -C src --format=$format "${args[@]}" --numeric-owner -cf "$format.tar" .
		image import --quiet --name t "rootfs:$format.tar"
		image unpack --quiet --flat t out
		[[ $(stat -c %s out/rootfs/holes) == 8388608 ]]
		cmp src/holes out/rootfs/holes
		[[ $format == ustar || $format == v7 ]] && continue
		[[ out/rootfs/h -ef out/rootfs/$long/$long && $(stat -c %u out/rootfs/h) == 3000000 ]]
		(($(stat -c %b out/rootfs/holes) < 1000))
		[[ $format == pax ]] || is -5 "$(stat -c %Y out/rootfs/old)"
	done
}

@test "names are bytes: Latin-1, decomposed UTF-8 and line ends stay what they are" {
	agrees <<<'layer(file(b"latin-\xe9"), file("nfd-e\u0301"), file("nfc-\u00e9"), file("line\nend"), link("l", b"\xff"))'
	is 5 "$(find flat/rootfs -mindepth 1 -print0 | tr -cd '\0' | wc -c)"
}

@test "as many layers as overlayfs stacks, in a store whose path is long and has a colon" {
	store="$PWD/a:b,c/$(printf 'long%.0s' {1..40})"
	mkdir -p "${store%/*}" shown
	make deep <<-'E1'
		for i in range(499):
		    layer(file("layer/%d" % i, str(i)), file("same", str(i)))
	E1
	image import --quiet oci:deep
	run -0 unshare -m sh -ec "$IMAGE mount --root $store t shown; ls shown/layer | wc -l; cat shown/same"
	is $'499\n498'
}
