# Whole sandboxes under our own engine, on the test machine's /dev/kvm. Few boots: each takes many seconds here. The
# guest's kernel may be the one that this machine has, too: what tells is who runs it.
load ../helpers

setup_file() { modprobe kvm-amd; }
setup() {
	begin
	export SKIFF_SANDBOX=kvm LIMIT=200
	[[ -e $SKIFF_KERNELS/current/vmlinux ]] || skip "no kernel: skiff kernel fetch"
}

engine() { pgrep -P "$(pid_of)" -x skiff-vmm; }

@test "kvm: the engine is nobody, has no rights and a filter for each thread; exec, streams and the end work" {
	local pid task
	launch --vm-vcpus 2
	pid=$(engine)
	is 65534 "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")"
	is 0000000000000000 "$(awk '/^CapEff:/ { print $2 }' "/proc/$pid/status")"
	for task in "/proc/$pid/task/"*; do
		is "2 1" "$(awk '/^Seccomp:/ { s = $2 } /^NoNewPrivs:/ { n = $2 } END { print s, n }' "$task/status")"
	done
	run -0 in_container sh -c 'nproc; cat /sys/class/virtio-ports/*/name; head -c 100000 /dev/zero | wc -c'
	is 2 "${lines[0]}"
	is 100000 "${lines[-1]}"
	run -7 in_container sh -c 'exit 7'
	run -0 skiff events --stats "$id"
	jq -c .data.machine <<<"$output"
	jq -e '.data.pids.current == 1 and .data.machine.exits.port > 0 and ([.data.machine.devices[].name] | contains(["console", "fs", "rng", "balloon"]))' <<<"$output"
	jq -e '.data.machine.devices[] | select(.name == "console") | .bytes_from_guest > 1000 and .bytes_to_guest > 1000 and .kicks > 0 and .interrupts > 0 and .held_by_limits == 0' <<<"$output"
	skiff pause "$id" # with a thread of the kernel's among them, which cannot be
	status_is paused
	skiff resume "$id"
	run -0 in_container true
	skiff kill "$id" KILL
	eventually gone "$pid"
	eventually status_is stopped
}

@test "kvm: a kernel that panics is told of, and nothing is left" {
	args true
	run -1 skiff run --vm-parameter rdinit=/none --vm-parameter init=/none -b "$bundle" "$id"
	says "skiff-vmm: the guest's kernel has panicked: Kernel panic - not syncing"
	nothing_left
}

@test "kvm: an engine that dies takes its container along" {
	launch
	kill -KILL "$(engine)"
	eventually status_is stopped
	skiff delete "$id"
	nothing_left
}

counted() { # DEVICE FIELD
	skiff events --stats "$id" | jq ".data.machine.devices[] | select(.name == \"$1\").$2"
}

# The host's cgroup holds what is read of a device, too: the machine's own limit is the lower one.
@test "kvm: the root is an image on a disk whose limits hold, those of the network too" {
	local device before
	device=$((0x$(stat -c %t "$VM_DISK"))):$((0x$(stat -c %T "$VM_DISK")))
	head -c 2000000 /dev/urandom >"$bundle/rootfs/big"
	mkfs.erofs "$BATS_TEST_TMPDIR/image" "$bundle/rootfs" >/dev/null
	dd if="$BATS_TEST_TMPDIR/image" of="$VM_DISK" bs=1M status=none
	rm -r "$bundle/rootfs"
	ip netns add "$id-h"
	ip netns add "$id-c"
	ip -n "$id-h" link add out type veth peer name eth0 netns "$id-c"
	ip -n "$id-h" addr add 10.77.0.1/24 dev out
	ip -n "$id-h" link set out up
	ip -n "$id-c" addr add 10.77.0.2/24 dev eth0
	ip -n "$id-c" link set eth0 up
	config --arg disk "$VM_DISK" --arg ns "/run/netns/$id-c" --arg device "$device" '.root.path = $disk |
		.annotations = {"org.skiff.sandbox.net-bytes": "100k", "org.skiff.sandbox.disk-bytes": "150000"} |
		.linux.namespaces |= map(if .type == "network" then .path = $ns else . end) |
		.linux.resources.blockIO.throttleReadBpsDevice = [($device | split(":")) as [$major, $minor] |
			{"major": $major | tonumber, "minor": $minor | tonumber, "rate": 300000}]'
	launch
	is 0 "$(counted net held_by_limits)"
	run -0 in_container sh -c 'grep " / " /proc/mounts; cat /big | wc -c'
	[[ ${lines[0]} == "overlay / overlay rw"* ]]
	is 2000000 "${lines[1]}"
	skiff events --stats "$id" | jq -c .data.machine.devices[]
	tr '\0' '\n' <"/proc/$(engine)/cmdline" | grep ^name=root,.*,bytes=150000,.*,read-bytes=300000,
	(($(counted blk held_by_limits) > 0 && $(counted blk bytes_to_guest) > 2000000 && $(counted fs bytes_to_guest) == 0))
	sleep 100 | ip netns exec "$id-h" busybox nc -l -p 7777 >"$BATS_TEST_TMPDIR/got" &
	run -0 in_container sh -c 'head -c 300000 /dev/zero | nc -w 60 10.77.0.1 7777'
	eventually eval '(($(stat -c %s "$BATS_TEST_TMPDIR/got") == 300000))'
	(($(counted net held_by_limits) > 0 && $(counted net bytes_from_guest) > 300000))
	ip netns del "$id-c"
	ip netns del "$id-h"
}

@test "kvm: a bzImage is unpacked once, and the engine is given that" {
	local store=$BATS_TEST_TMPDIR/store unpacked inode
	"$tools/bzimage" lz4 "$(readlink -f "$SKIFF_KERNELS/current/vmlinux")" "$BATS_TEST_TMPDIR/bz"
	ln -s "$(readlink -f "$SKIFF_KERNELS/current")/modules" "$BATS_TEST_TMPDIR/modules"
	export SKIFF_KERNELS=$store
	launch --vm-kernel "$BATS_TEST_TMPDIR/bz"
	unpacked=$(echo "$store"/unpacked/*)
	inode=$(stat -c %i "$unpacked")
	is "$inode" "$(stat -c %i "/proc/$(engine)/root/kernel")"
	skiff delete --force "$id"
	launch --vm-kernel "$BATS_TEST_TMPDIR/bz"
	is "$inode" "$(stat -c %i "$store"/unpacked/*)"
	is "$inode" "$(stat -c %i "/proc/$(engine)/root/kernel")"
}

@test "kvm: stream sockets lead out of the guest and into it, each direction ends by itself; no link is followed" {
	local folder=$BATS_TEST_TMPDIR/sockets
	mkdir "$folder"
	cd "$BATS_TEST_TMPDIR"
	head -c 3000000 /dev/urandom >a
	head -c 2000000 /dev/urandom >b
	cp a "$bundle/rootfs/root/a"
	launch --vm-vsock "$folder"
	[[ -S $folder/vsock ]]
	# out of the guest
	"$tools/vsock-host" listen "$folder" 5000 b got.a &
	eventually test -S "$folder/vsock_5000"
	run in_container sh -c 'probe vsock-connect 5000 </root/a >/root/b'
	is "0: " "$status: $output"
	wait $!
	cmp a got.a
	cmp b "$bundle/rootfs/root/b"
	# into it, where it is said again
	in_container probe vsock-listen 6000 >ready 2>&1 &
	eventually holds ready ready
	run -0 "$tools/vsock-host" connect "$folder" 6000 b echo
	wait $!
	cmp b echo
	# where nobody is
	run ! "$tools/vsock-host" connect "$folder" 6001 b none
	says "nobody there"
	run ! in_container probe vsock-connect 5001
	says "connect: "
	# what the guest could have made, were the folder shared with it
	"$tools/vsock-host" listen "$BATS_TEST_TMPDIR" 1 b none &
	eventually test -S vsock_1
	ln -s ../vsock_1 "$folder/vsock_5002"
	run ! in_container probe vsock-connect 5002
	says "connect: "
	kill $!
	(($(counted vsock bytes_to_guest) >= 4000000 && $(counted vsock bytes_from_guest) >= 5000000))
	args true
	run -1 skiff run --vm-vsock "$folder" -b "$bundle" "$id-2"
	says "another sandbox listens there"
	skiff delete --force "$id"
	[[ ! -e $folder/vsock ]]
}

@test "kvm: stream sockets: whichever step fails, and at the end, the socket is gone" {
	SKIFF=$top/build/steps/skiff
	local step
	mkdir "$BATS_TEST_TMPDIR/sockets"
	args true
	for step in "look for the folder of stream sockets" "open the monitor" "record the first process" "listen for stream sockets" "gather what the guest may see" "start the machine" "make the container in the guest"; do
		FAIL_STEP=$step run -1 skiff run --vm-vsock "$BATS_TEST_TMPDIR/sockets" -b "$bundle" "$id"
		says "$step: failed on purpose"
		nothing_left
		[[ ! -e $BATS_TEST_TMPDIR/sockets/vsock ]]
	done
	run -0 skiff run --vm-vsock "$BATS_TEST_TMPDIR/sockets" -b "$bundle" "$id"
	[[ ! -e $BATS_TEST_TMPDIR/sockets/vsock ]]
}

@test "kvm: whatever a file system must do holds inside" {
	posix "$bundle/rootfs/bin/posix"
	config '.process.capabilities[] = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETFCAP",
		"CAP_SETGID", "CAP_SETUID"]'
	mkdir -m 755 "$bundle/rootfs/all"
	args posix /all
	run -0 skiff run -b "$bundle" "$id"
	(($(grep -c '^ok' <<<"$output") >= 54))
}
