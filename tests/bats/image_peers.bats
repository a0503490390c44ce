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
