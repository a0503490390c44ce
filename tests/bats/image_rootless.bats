# Stores of ordinary users: with one id, and with the ids of /etc/subuid.
load image_helpers

# as a user who is not root; the store is the one in its home
as_user() { # COMMAND...
	setpriv --reuid 1000 --regid 1000 --clear-groups env -u XDG_DATA_HOME HOME="$PWD/home" timeout 20 "$@" 3>&- 4>&-
}

prepare_user() {
	((EUID == 0)) || skip "needs root to become a user"
	chmod 755 . "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test
	make image_dir <<-'E1'
		layer(folder("d", 0o700, uid=5, gid=6, mtime=3), file("d/a", "x", uid=5, gid=6, mode=0o4711, mtime=4, xattrs={"user.x": "y"}),
			file("gone"), char("null", 1, 3), folder("o"), file("o/old"))
		layer(file(".wh.gone", ""), file("o/.wh..wh..opq", ""), file("o/new"), folder("ro", 0o555), file("ro/f", mode=0o400))
	E1
	mkdir home
	chown -R 1000:1000 home image_dir
}

@test "a user with one id: owners are written down, overlay marks are user.*" {
	prepare_user
	run as_user "$IMAGE" import --quiet oci:image_dir
	[[ $status == 0 && $output == *"devices were left out"* ]]
	run as_user "$IMAGE" prepare --quiet t
	[[ $status == 0 ]]
	jq -e '.userxattr and .uidMappings == [{containerID: 0, hostID: 1000, size: 1}]' <<<"$output"
	layers=home/.local/share/skiff/layers
	is "b'5:6'" "$(python3 -c 'import os, glob; print(os.getxattr(glob.glob("home/.local/share/skiff/layers/*/diff/d/a")[0], "user.skiff.owner"))')"
	is "b'y'" "$(python3 -c 'import os, glob; print(os.getxattr(os.path.dirname(glob.glob("home/.local/share/skiff/layers/*/diff/o/new")[0]), "user.overlay.opaque"))')"
	is "c f" "$(find $layers -name gone -printf '%y\n' | sort | xargs)"
	as_user "$IMAGE" unpack --quiet --flat t home/bundle
	is "d o ro" "$(ls home/bundle/rootfs | xargs)"
	is new "$(ls home/bundle/rootfs/o)"
	as_user "$IMAGE" rm t
	[[ -z $(ls $layers) ]]
}

@test "a user with ids of its own keeps owners" {
	prepare_user
	type -P newuidmap >/dev/null || skip "no newuidmap"
	printf '1000:300000:65536\n' >ids
	run unshare -m sh -ec "mount --bind ids /etc/subuid; mount --bind ids /etc/subgid
		cd '$PWD'; exec setpriv --reuid 1000 --regid 1000 --clear-groups env -u XDG_DATA_HOME HOME='$PWD/home' sh -ec '
			$IMAGE import --quiet oci:image_dir; $IMAGE prepare --quiet t; $IMAGE verify --quiet t || :; $IMAGE unpack --quiet --flat t home/bundle'"
	[[ $status == 0 ]]
	jq -e '.uidMappings == [{containerID: 0, hostID: 1000, size: 1}, {containerID: 1, hostID: 300000, size: 65536}]' < <(grep '^{' <<<"$output")
	is "300004 300005 4711 4" "$(stat -c '%u %g %a %Y' home/bundle/rootfs/d/a)"
	is "700 3" "$(stat -c '%a %Y' home/bundle/rootfs/d)"
	jq -e '.linux.uidMappings | length == 2' home/bundle/config.json
}
