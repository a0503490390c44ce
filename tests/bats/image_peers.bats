# The same images by other tools: what they make of them must be what we make of them.
load image_helpers

need() {
	local tool
	for tool; do
		type -P "$tool" >/dev/null || skip "no $tool"
	done
}

# An image of three layers as umoci makes them: files of all kinds, changed, removed and replaced.
umoci_image() {
	umoci init --layout made
	umoci new --image made:t
	umoci unpack --image made:t work 2>/dev/null
	root=work/rootfs
	mkdir -p $root/bin $root/etc/conf.d $root/var/lib/x $root/usr/lib
	cp /bin/busybox $root/bin/
	ln -s busybox $root/bin/sh
	ln $root/bin/busybox $root/bin/hard
	ln -s usr/lib $root/lib
	echo root:x:0:0::/root:/bin/sh >$root/etc/passwd
	mkfifo $root/var/fifo
	mknod $root/var/null c 1 3
	truncate -s 5M $root/var/sparse
	chown 1234:5678 $root/var/lib/x
	chmod 2750 $root/var/lib/x
	chmod 4755 $root/bin/busybox
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"\0v"); os.setxattr(sys.argv[2], "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))' $root/etc/passwd $root/bin/hard
	for i in $(seq 300); do echo "$i" >"$root/etc/conf.d/$i"; done
	umoci repack --image made:t work
	rm -rf work && umoci unpack --image made:t work 2>/dev/null
	rm -rf $root/etc/conf.d/1* $root/var/lib/x
	mkdir $root/bin2 && rm $root/bin/sh && mkdir $root/bin/sh && echo y >$root/bin/sh/file
	echo changed >$root/etc/passwd
	umoci repack --image made:t work
	rm -rf work && umoci unpack --image made:t work 2>/dev/null
	rm -rf $root/var && echo now-a-file >$root/var
	touch -d @1000000000.123456789 $root/etc/conf.d/200
	umoci repack --image made:t work
	rm -rf work
}

@test "flat unpack gives what umoci unpacks" {
	need umoci
	umoci_image
	umoci unpack --image made:t theirs 2>/dev/null
	image unpack --quiet --flat oci:made:t ours
	same_tree theirs/rootfs ours/rootfs
	image import --quiet oci:made:t
	image unpack --quiet --flat t stored
	same_tree theirs/rootfs stored/rootfs
}

@test "skopeo reads what we export, and we read all that skopeo writes" {
	need umoci skopeo
	umoci_image
	image import --quiet oci:made:t
	want=$(image ls --format json | jq -r '.[0].image')
	image export t oci:exported
	skopeo --insecure-policy copy -q oci:exported:t oci-archive:skopeo.tar:t
	skopeo --insecure-policy copy -q oci:made:t docker-archive:docker.tar:app:1
	skopeo --insecure-policy copy -q --dest-compress-format zstd oci:made:t oci:zstd:t
	for source in oci-archive:skopeo.tar:t docker-archive:docker.tar:app:1 docker-archive:docker.tar oci:zstd:t ./docker.tar ./skopeo.tar; do
		rm -rf store ours
		image import --quiet --name t "$source"
		[[ $source == *docker* ]] || is "$want" "$(image ls --format json | jq -r '.[0].image')"
		image unpack --quiet --flat t ours
		[[ -d theirs ]] || umoci unpack --image made:t theirs 2>/dev/null
		same_tree theirs/rootfs ours/rootfs
	done
	image export t docker-archive:ours.tar
	skopeo --insecure-policy copy -q docker-archive:ours.tar oci:back:t
	umoci unpack --image back:t back-bundle 2>/dev/null
	same_tree theirs/rootfs back-bundle/rootfs
}

@test "config.json says what umoci's says" {
	need umoci
	umoci_image
	umoci config --image made:t --config.user 1000:1000 --config.entrypoint /bin/sh --config.cmd -c --config.cmd true \
		--config.env A=1 --config.env B=2 --config.workingdir /var/lib --config.label key=value --config.exposedports 80/tcp --config.stopsignal SIGTERM
	umoci unpack --image made:t theirs 2>/dev/null
	image unpack --quiet --flat oci:made:t ours
	fields='{args: .process.args, cwd: .process.cwd, uid: .process.user.uid, gid: .process.user.gid, env: [.process.env[] | select(test("^(A|B)="))],
		annotations: (.annotations | del(."org.opencontainers.image.author", ."org.opencontainers.image.created") | with_entries(select(.value != "")))}'
	diff <(jq -S "$fields" theirs/config.json) <(jq -S "$fields" ours/config.json)
}

# A Debian in three layers: made by debootstrap, then files and folders changed, removed, replaced, linked and described.
debian_image() {
	local archive=$top/build/test/debian.tar why
	why=$("$top/tests/bats/tools/debian" "$archive" 3>&- 4>&-) || skip "$why"
	umoci init --layout made
	umoci new --image made:t
	umoci raw add-layer --image made:t "$archive"
	umoci unpack --image made:t work 2>/dev/null
	root=work/rootfs
	rm -rf $root/usr/share/doc/apt $root/etc/apt $root/usr/share/man
	echo now-a-file >$root/usr/share/man
	rm $root/etc/debian_version && mkdir $root/etc/debian_version && echo 12 >$root/etc/debian_version/major
	sed -i 's/root/ROOT/' $root/etc/passwd
	chmod 4711 $root/usr/bin/tar
	for i in $(seq 200); do ln $root/usr/bin/perl "$root/usr/local/perl$i"; done
	setfacl -m u:1234:rw,g:99:r $root/etc/shadow
	setfacl -d -m u:1234:rwx $root/srv
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", bytes(range(256))); os.setxattr(sys.argv[2], "security.capability", bytes.fromhex("0100000200040000000000000000000000000000")); os.setxattr(sys.argv[3], "security.capability", bytes.fromhex("010000030004000000000000000000000000000000e80300"[:48]))' \
		$root/etc/hostname $root/usr/bin/apt $root/usr/bin/cat
	# a folder without an entry of its own gets the time of now from podman: so that each has one
	touch $root/usr $root/usr/*
	umoci repack --image made:t work
	rm -rf work && umoci unpack --image made:t work 2>/dev/null
	rm -rf $root/etc/debian_version $root/usr/local/perl1* $root/usr/share/doc
	mkdir -p $root/usr/share/doc/new && echo new >$root/usr/share/doc/new/file
	touch -d @1000000000.123456789 $root/usr/share/doc/new/file $root/usr/share/doc/new
	mknod $root/dev/example b 7 300 && mkfifo -m 620 $root/run/fifo && truncate -s 3M $root/srv/holes
	chown 4294967294:70000 $root/srv/holes
	touch $root/usr $root/usr/*
	umoci repack --image made:t work
	rm -rf work
}

@test "a Debian of three layers: umoci, podman and we see the same files" {
	need umoci podman
	LIMIT=120
	debian_image
	umoci unpack --image made:t theirs 2>/dev/null
	image import --quiet oci:made:t
	image unpack --quiet --flat oci:made:t ours
	same_tree theirs/rootfs ours/rootfs
	mkdir shown
	# podman keeps "/" as 0555 and of now, whatever the layer says: all below it is compared
	timeout 200 unshare -m --propagation private bash -euc '
		mount -t tmpfs none "$3"
		podman=(podman --root "$3/root" --runroot "$3/run" --storage-driver overlay --tmpdir "$3/tmp")
		"${podman[@]}" pull -q oci:made:t >/dev/null
		at=$("${podman[@]}" image mount "$("${podman[@]}" images -q)")
		"$1" mount --root "$2" t shown
		python3 "$4" --no-root "$at" shown
		python3 "$4" shown ours/rootfs' _ "$IMAGE" "$store" "$(mktemp -d -p "$PWD")" "$top/tests/bats/image_tree.py"
}
