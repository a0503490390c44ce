# Images of more layers than a page of mount options has room for, on a kernel that takes them as such a page only.
load ../image_helpers

skiff() {
	timeout -k 2 30 "$top/build/skiff" --root "$PWD/states" "$@" 3>&- 4>&-
}

@test "120 layers: mount, and a container on top of them" {
	make deep <<-'E'
		import subprocess
		for i in range(120):
		    layer(file("layer/%d" % i, str(i)), file("same", str(i)))
		layer(folder("bin"), file("bin/busybox", open("/bin/busybox", "rb").read(), mode=0o755))
	E
	image import --quiet oci:deep
	mkdir shown
	run unshare -m sh -ec "$IMAGE mount --root $store t shown; ls shown/layer | wc -l; cat shown/same; touch shown/x || true"
	[[ $status == 0 ]] || { echo "$output"; false; }
	is $'120\n119touch: cannot touch '"'shown/x': Read-only file system"
	run -0 skiff run --store "$store" --image t --rm --name deep -- busybox sh -c 'busybox cat /same; echo new >/layer/7 && busybox cat /layer/7 /layer/8'
	is 119new8 "$(tr -d '\n' <<<"$output")"
	image unpack --quiet t bundle
	jq '.process.args = ["busybox", "cat", "/same"] | .process.terminal = false' bundle/config.json >c && mv c bundle/config.json
	run -0 skiff run -b bundle deep2
	is 119
}

@test "attributes of a mount that needs the old system call go to that mount alone" {
	make one <<-'E'
		layer(folder("bin"), folder("mnt"), file("bin/busybox", open("/bin/busybox", "rb").read(), mode=0o755))
	E
	image unpack --quiet --flat oci:one bundle
	jq '.process.args = ["busybox", "cat", "/proc/self/mounts"] | .mounts += [{"destination": "/mnt", "type": "tmpfs", "source": "old", "options": ["iversion", "noexec", "nosuid"]}]' \
		bundle/config.json >c && mv c bundle/config.json
	run skiff run -b bundle attributes
	[[ $status == 0 ]] || { echo "$output"; false; }
	grep -q '^old /mnt tmpfs [^ ]*nosuid[^ ]*noexec' <<<"$output"
	! grep ' / ' <<<"$output" | grep noexec
}
