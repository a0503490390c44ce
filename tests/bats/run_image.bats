# skiff run --image, and diff: what a user of podman expects.
load helpers

setup() {
	begin
	store=$BATS_RUN_TMPDIR/run-image-store
	[[ -d $store ]] || make_store
}

# One image with busybox in it: /bin/sh as its command, a variable, a working directory, a volume.
make_store() {
	local work=$BATS_RUN_TMPDIR/run-image
	mkdir -p "$work"
	umoci init --layout "$work/oci"
	umoci new --image "$work/oci:base"
	umoci unpack --image "$work/oci:base" "$work/b" >/dev/null 2>&1
	cp -a "$bundle/rootfs/." "$work/b/rootfs/"
	mkdir "$work/b/rootfs/data" && echo original >"$work/b/rootfs/data/file"
	umoci repack --image "$work/oci:base" "$work/b" >/dev/null 2>&1
	umoci config --image "$work/oci:base" --config.cmd sh --config.cmd -c --config.cmd 'echo from cmd' \
		--config.env COLOR=blue --config.workingdir /tmp --config.volume /data \
		--config.label run.oci.hooks.stdout=/tmp/evil
	"$SKIFF" image import --root "$store.new" --quiet --name base "oci:$work/oci:base" >/dev/null
	mv "$store.new" "$store"
}

run_image() { # [OPTION... --] [COMMAND...]
	skiff run --store "$store" --image base --name "$id" "$@" 2>&1
}

@test "the image's own command runs" {
	run -0 run_image --rm
	is "from cmd"
}

@test "a command of one's own takes the place of the image's, with its exit code" {
	run -9 run_image --rm -- sh -c 'echo mine; exit 9'
	is mine
}

@test "--entrypoint takes the place of both" {
	run -0 run_image --rm --entrypoint echo -- one two
	is "one two"
}

@test "environment: the image's, -e, the caller's own value, HOME, PATH and HOSTNAME" {
	export CALLERS=inherited
	run -0 run_image --rm -e COLOR=red -e CALLERS -e ABSENT -- sh -c 'echo $COLOR $CALLERS [$ABSENT] $HOME $HOSTNAME; echo $PATH'
	says "red inherited [] /root ${id:0:12}" "${lines[0]}"
	says /usr/bin "${lines[1]}"
}

@test "-w, -u with a name out of the image, --hostname" {
	run -0 run_image --rm -w /etc -u user:user --hostname there -- sh -c 'pwd; id -u; id -g; hostname'
	is $'/etc\n1000\n1000\nthere'
}

@test "an unknown user is one clear line and leaves nothing" {
	run -1 run_image --rm -u nobodyknows -- true
	one_line
	says nobodyknows
	[[ ! -e $store/containers/$id ]]
}

@test "capabilities are docker's, none for other users; --cap-add and --cap-drop change them" {
	run -0 run_image --rm -- grep CapEff /proc/self/status
	says 00000000a80425fb
	run -0 run_image --rm -u 1000 -- grep CapEff /proc/self/status
	says 0000000000000000
	run -0 run_image --rm --cap-drop ALL --cap-add NET_RAW -- grep CapEff /proc/self/status
	says 0000000000002000
}

@test "a seccomp profile is in force: mount and unshare fail even as root" {
	run -0 run_image --rm -- grep Seccomp: /proc/self/status
	says 2
	run -0 run_image --rm -- sh -c 'unshare -u true || echo refused'
	says refused
}

@test "the writable layer lives as long as the container, and diff shows it" {
	run -0 run_image -- sh -c 'echo x >/new; rm /etc/group; echo y >>/etc/passwd'
	run -0 skiff diff "$id"
	says "A /new"
	says "D /etc/group"
	says "C /etc/passwd"
	[[ -d $store/containers/$id ]]
	run -0 skiff delete "$id"
	[[ ! -e $store/containers/$id ]]
	run -0 run_image --rm -- sh -c 'test ! -e /new && test -e /etc/group'
}

@test "--rm leaves no container and no layer" {
	run -0 run_image --rm -- touch /new
	[[ ! -e $store/containers/$id ]]
	run -0 skiff list -q
	is ""
}

@test "two containers of one image do not see each other's files" {
	run -0 run_image -d -- sleep 1000
	skiff exec "$id" touch /mine
	run -0 skiff run --store "$store" --image base --name "$id.b" --rm -- sh -c 'test ! -e /mine'
	skiff delete -f "$id"
}

@test "--read-only: the root refuses, but not what programs expect to write to" {
	run -0 run_image --rm --read-only -- sh -c 'touch /x 2>/dev/null || echo refused; for f in /dev/shm /run /tmp /var/tmp /data; do touch $f/x && echo $f; done'
	is $'refused\n/dev/shm\n/run\n/tmp\n/var/tmp\n/data'
}

@test "--tmpfs: a folder in memory, with what the image has there" {
	run -0 run_image --rm --tmpfs /run --tmpfs /etc:size=64k,noexec -- sh -c 'grep -E " /(run|etc) " /proc/mounts; cat /etc/group | head -1'
	says "tmpfs /run tmpfs rw,nosuid,nodev"
	says "size=64k"
	says root:x:0:
	run -1 run_image --rm --tmpfs run -- true
	one_line
	says "--tmpfs"
}

@test "an empty --entrypoint is none" {
	run -0 run_image --rm --entrypoint "" -- echo there
	is there
}

@test "-v mounts a folder, :ro read-only" {
	mkdir "$BATS_TEST_TMPDIR/shared"
	run -0 run_image --rm -v "$BATS_TEST_TMPDIR/shared:/shared" -- sh -c 'echo hello >/shared/file'
	is hello "$(<"$BATS_TEST_TMPDIR/shared/file")"
	run -0 run_image --rm -v "$BATS_TEST_TMPDIR/shared:/shared:ro" -- sh -c 'touch /shared/no 2>/dev/null || cat /shared/file'
	is hello
}

@test "the image's volumes begin with the image's content, and are not the image's" {
	run -0 run_image --rm -- sh -c 'cat /data/file; echo changed >/data/file; grep " /data " /proc/self/mounts'
	says original
	says tmpfs
	run -0 run_image --rm -- cat /data/file
	is original
}

@test "labels of an image never steer the runtime" {
	run -0 run_image -d -- sleep 1000
	run -0 jq -r '.annotations["run.oci.hooks.stdout"]' "$root/$id/config.json"
	is null
	skiff delete -f "$id"
}

@test "the overlay is mounted in the container alone" {
	run -0 run_image -d -- sleep 1000
	run -1 grep "$store" /proc/self/mountinfo
	skiff exec "$id" grep -q "overlay / " /proc/mounts
	skiff delete -f "$id"
}

@test "an image that is not there, and one given by its source" {
	run -1 skiff run --store "$store" --image nosuch --rm -- true
	one_line
	says "no image 'nosuch'"
	run -0 skiff run --store "$store" --name "$id" --rm --image "oci:$BATS_RUN_TMPDIR/run-image/oci:base" -- echo here
	says here
}

@test "an ordinary user runs an image out of a store of its own" {
	chmod -R a+rX "$BATS_RUN_TMPDIR/run-image"
	mkdir -p "$BATS_TEST_TMPDIR/user" && chown 65534:65534 "$BATS_TEST_TMPDIR/user" && chmod 755 "$BATS_TEST_TMPDIR"
	as_user() {
		timeout 30 setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH="$PATH" "$@"
	}
	mkdir -m 700 "$BATS_TEST_TMPDIR/user/states" && chown 65534:65534 "$BATS_TEST_TMPDIR/user/states"
	as_user "$SKIFF" image import --quiet --root "$BATS_TEST_TMPDIR/user/store" --name base "oci:$BATS_RUN_TMPDIR/run-image/oci:base"
	run -0 as_user "$SKIFF" --root "$BATS_TEST_TMPDIR/user/states" run --store "$BATS_TEST_TMPDIR/user/store" --image base --rm -- \
		sh -c 'id -u; touch /new; rm /bin/ls; cat /proc/self/uid_map'
	says "65534" "${lines[1]}"
	run -0 as_user "$SKIFF" --root "$BATS_TEST_TMPDIR/user/states" run --store "$BATS_TEST_TMPDIR/user/store" --image base --rm \
		-v vol:/data -- sh -c 'cat /data/file; touch /data/new && stat -c %u /data/file /data/new'
	is $'original\n0\n0'
	[[ -e $BATS_TEST_TMPDIR/user/store/volumes/vol/new ]]
	[[ -z $(ls "$BATS_TEST_TMPDIR/user/store/containers") ]]
}

@test "devices that an image brings along cannot be opened" {
	run -0 run_image --rm -- sh -c 'mknod /mine c 1 3 && cat /mine; mknod /dev/mine c 1 3 && cat /dev/mine && echo fine'
	is $'cat: can\'t open \'/mine\': Permission denied\nfine'
}

@test "--entrypoint takes a JSON array; [ alone is a program" {
	run -0 run_image --rm --entrypoint '["echo","one"]' -- two
	is "one two"
	run -0 run_image --rm --entrypoint '[' -- 1 = 1 ']'
}

@test "--env-file: after the image's variables and before -e" {
	export CALLERS=inherited
	printf '%s\n' '# a remark' '' 'COLOR=red' '  QUOTED="a b" ' CALLERS ABSENT SIZE=small >"$BATS_TEST_TMPDIR/env"
	run -0 run_image --rm --env-file "$BATS_TEST_TMPDIR/env" -e SIZE=large -- sh -c 'echo "$COLOR|$QUOTED|$CALLERS|$SIZE|${ABSENT-none}"'
	is 'red|"a b" |inherited|large|none'
	echo "two words=x" >"$BATS_TEST_TMPDIR/env"
	run -1 run_image --rm --env-file "$BATS_TEST_TMPDIR/env" -- true
	one_line
	says "two words"
	run -1 run_image --rm --env-file "$BATS_TEST_TMPDIR/absent" -- true
	one_line
	says "--env-file"
	[[ ! -e $store/containers/$id ]]
}

@test "--shm-size" {
	run -0 run_image --rm -- grep " /dev/shm " /proc/mounts
	says size=65536k
	run -0 run_image --rm --shm-size 1m -- grep " /dev/shm " /proc/mounts
	says size=1024k
	run -1 run_image --rm --shm-size little -- true
	one_line
}

@test "-w: a folder that the image lacks is refused, unless something is mounted there" {
	run -1 run_image --rm -w /no/such -- true
	one_line
	says "the image has no folder /no/such"
	run -1 run_image --rm -w /etc/passwd -- true
	one_line
	[[ ! -e $store/containers/$id ]]
	run -0 run_image --rm -w /data -- pwd
	run -0 run_image --rm -w /dev/shm -- pwd
	run -0 run_image --rm -w /made/there --tmpfs /made -- pwd
	is /made/there
}

@test "the image's own working directory is made, for its user, though the root is read-only" {
	local oci=$BATS_TEST_TMPDIR/oci
	cp -a "$BATS_RUN_TMPDIR/run-image/oci" "$oci"
	umoci config --image "$oci:base" --tag own --config.workingdir /etc/not/there --config.user user
	run -0 skiff run --store "$store" --name "$id" --rm --image "oci:$oci:own" --read-only -- \
		sh -c 'pwd; stat -c "%u %a" .; stat -c "%u %a" /etc; ls -d /etc/passwd'
	says $'/etc/not/there\n1000 755\n0 755\n/etc/passwd'
}

@test "-v NAME:/path: a volume that begins with the image's content and outlives its container" {
	local name=vol-$id
	run -0 run_image --rm -v "$name:/data" -- sh -c 'cat /data/file; echo changed >/data/file'
	is original
	run -0 run_image --rm -v "$name:/data:ro" -- sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo refused'
	is $'changed\nrefused'
	run -0 "$SKIFF" image gc --root "$store"
	is changed "$(<"$store/volumes/$name/file")"
	run -0 run_image --rm -v "$name.b:/new" -- sh -c 'touch /new/file && ls /new'
	is file
}

@test "-v: ./ is a folder of the host, a path alone a volume, anything else a clear error" {
	mkdir "$BATS_TEST_TMPDIR/here" && echo hello >"$BATS_TEST_TMPDIR/here/file"
	cd "$BATS_TEST_TMPDIR"
	run -0 run_image --rm -v ./here:/there -- cat /there/file
	is hello
	run -0 run_image --rm -v /scratch -- grep " /scratch " /proc/mounts
	says tmpfs
	for word in here/file:/there name: name:there :/there alone .:there; do
		run -1 run_image --rm -v "$word" -- true
		one_line
		says "--volume: '"
	done
	[[ -z $(find "$store/volumes" -name 'name*') && ! -e $store/containers/$id ]]
}

@test "without --net a container knows its own name, and /etc names hosts that are not the image's" {
	run -0 run_image --rm --hostname there -- sh -c 'cat /etc/hostname; grep -c localhost /etc/hosts; ping -c 1 there >/dev/null && grep there /etc/hosts; test -e /etc/resolv.conf && echo resolv'
	is $'there\n2\n127.0.0.1\tthere\nresolv'
	run -0 run_image --rm --read-only -- sh -c 'echo >>/etc/hosts || echo refused'
	says refused
	echo mine >"$BATS_TEST_TMPDIR/hosts"
	run -0 run_image --rm -v "$BATS_TEST_TMPDIR/hosts:/etc/hosts" -- cat /etc/hosts
	is mine
}
