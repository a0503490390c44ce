#!/usr/bin/env bats
# The file system that a sandbox gets from the host.
load helpers

setup_file() {
	fetch_kernel
	posix "$BATS_FILE_TMPDIR/posix"
}
setup() {
	begin
	export SKIFF_SANDBOX=${SKIFF_SANDBOX:-qemu} LIMIT=150
	config '.process.capabilities[] = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETFCAP",
		"CAP_SETGID", "CAP_SETUID"]'
}
teardown() {
	finish
	[[ -z ${volume-} ]] || rm -rf "$volume"
}

share_volume() { # what stands at /volume, on another file system than the root
	volume=$(mktemp -d /dev/shm/skiff-volume.XXXXXX)
	chmod 755 "$volume"
	config '.mounts += [{destination: "/volume", type: "bind", source: $s, options: ["rbind"]}]' --arg s "$volume"
}

# What holds on the host's file system below FOLDER, and what does not.
on_the_host() { # FOLDER
	mkdir "$1"
	"$BATS_FILE_TMPDIR/posix" "$1" | grep -v '^#' || true
	rm -rf "$1"
}

file_server() {
	pgrep -P "$(pid_of)" -x skiff-fs
}

@test "whatever a file system must do holds inside as it does on the host, on the root and on a volume" {
	share_volume
	cp "$BATS_FILE_TMPDIR/posix" "$bundle/rootfs/bin/posix"
	on_the_host "$bundle/rootfs/root/host" >"$BATS_TEST_TMPDIR/want"
	on_the_host "$volume/host" >"$BATS_TEST_TMPDIR/want.volume"
	run -0 grep -c '^ok' "$BATS_TEST_TMPDIR/want"
	((output >= 54))
	run -1 grep '^not' "$BATS_TEST_TMPDIR/want"
	try_inside 'mkdir /root/all /volume/all; chmod 755 /root; posix /root/all; echo ==; posix /volume/all'
	diff -u "$BATS_TEST_TMPDIR/want" <(sed '/^==/,$d; /^#/d' <<<"$output") || { echo "$output"; return 1; }
	diff -u "$BATS_TEST_TMPDIR/want.volume" <(sed '1,/^==/d; /^#/d' <<<"$output") || { echo "$output"; return 1; }
}

@test "the file server sees nothing but the folder, and has no right but over files" {
	local server
	config 'del(.process.capabilities[][] | select(. == "CAP_MKNOD"))'
	launch
	server=$(file_server)
	run -0 awk '/^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):/ { print $1 $2 }' "/proc/$server/status"
	is 'CapPrm:00000000800000db
CapEff:00000000800000db
CapBnd:0000000000000000
NoNewPrivs:1
Seccomp:2'
	for ns in mnt pid net ipc uts; do
		[[ $(readlink "/proc/$server/ns/$ns") != "$(readlink "/proc/$(pid_of)/ns/$ns")" ]]
	done
	run -0 ls "/proc/$server/root"
	is 'mounts
rootfs'
	is "lo:" "$(awk 'NR > 2 { print $1 }' "/proc/$server/net/dev")"
	grep -q ' /share / .*nosuid,nodev,noexec' "/proc/$server/mountinfo"
	in_container test -e /bin/busybox
}

@test "events --stats has what the file server has served" {
	head -c 3000000 /dev/zero >"$bundle/rootfs/big"
	launch
	in_container sh -c 'cat /big >/dev/null; head -c 500000 /dev/zero >/out; sync'
	run -0 skiff events --stats "$id"
	jq -e '.data.machine.files | .requests > 50 and .bytes_to_guest > 3000000 and .bytes_from_guest >= 500000' <<<"$output"
}

@test "a file server that dies takes its container along" {
	launch
	kill -KILL "$(file_server)"
	eventually status_is stopped
	skiff delete "$id"
	nothing_left
}

@test "devices are made on the host if config.json lets the program, and those that are there are the guest's" {
	config '.linux.resources.devices = [{"allow": true, "access": "rwm"}]'
	mknod "$bundle/rootfs/root/disk" b 7 200
	# who may make nodes makes them on the host, as in any container
	inside 'cd /root; mknod null c 1 3 && echo x >null && stat -c %t:%T null; rm null; mknod big c 300 70000'
	is 1:3
	is 12c:11170 "$(stat -c %t:%T "$bundle/rootfs/root/big")"
	try_inside 'mkfifo /root/fifo; dd if=/root/disk count=1'
	is 1 "$status"
	[[ -p $bundle/rootfs/root/fifo ]]
}

@test "files of different host file systems are different files, hard links are one" {
	share_volume
	echo x >"$volume/a"
	ln "$volume/a" "$volume/b"
	mkdir "$volume/d"
	inside 'stat -c %d:%i / /bin /volume /volume/d /volume/a /volume/b | sort | uniq -c | sort -n | tail -n 2; stat -c %i /volume/d
		ls -ai /volume | sed -n "s/ d$//p"'
	is 1 "$(awk '{ print $1 }' <<<"${lines[0]}")"
	is 2 "$(awk '{ print $1 }' <<<"${lines[1]}")"
	is "${lines[2]}" "$(tr -d ' ' <<<"${lines[3]}")"
}

@test "20,000 files are found, and what the host adds is seen" {
	local i
	mkdir -p "$bundle/rootfs/many/"{1..40}
	for i in {1..40}; do (cd "$bundle/rootfs/many/$i" && touch {1..500}); done
	launch
	run -0 in_container sh -c 'find /many -type f | wc -l'
	is 20000
	echo new >"$bundle/rootfs/many/7/new"
	eventually in_container grep -q new /many/7/new
	echo newer >"$bundle/rootfs/many/7/new"
	eventually in_container grep -q newer /many/7/new
	mv "$bundle/rootfs/many/7" "$bundle/rootfs/many/moved"
	eventually in_container grep -q newer /many/moved/new
	run -0 in_container sh -c 'rm -r /many'
	[[ ! -e $bundle/rootfs/many ]]
}
