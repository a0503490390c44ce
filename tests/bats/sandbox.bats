#!/usr/bin/env bats
# Containers in machines of their own: what only they can do, and what they must never let happen.
load helpers

setup_file() { fetch_kernel; }
setup() {
	begin
	export SKIFF_SANDBOX=${SKIFF_SANDBOX:-qemu}
}

# All rights that a container can have.
privileged() {
	config '.process.capabilities[] = $all | .process.noNewPrivileges = false | del(.linux.seccomp, .linux.resources.devices) |
		.linux.maskedPaths = [] | .linux.readonlyPaths = [] |
		(.mounts[] | select(.destination == "/sys" or .destination == "/sys/fs/cgroup").options) -= ["ro"]' \
		--argjson all "$("$SKIFF" features | jq .linux.capabilities)"
}

# Each start of a kernel has a number of its own; what kernel it is says nothing in a machine that has the guests' kernel.
boot=/proc/sys/kernel/random/boot_id
is_elsewhere() { # WHAT-CAT-OF-boot-SAID
	[[ ${#1} == 36 && $1 != "$(<$boot)" ]]
}

monitor_children() { # the machine and its file server
	pgrep -P "$(pid_of)"
}

@test "the program runs on another kernel than the host's" {
	inside 'uname -r; cat /proc/sys/kernel/random/boot_id; ps -o pid,args; ls -a /proc/1/root'
	is "$(basename "$(readlink -f "$SKIFF_KERNELS/current")")" "${lines[0]}"
	is_elsewhere "${lines[1]}"
	says "1 sh -c"
}

@test "100 MB go in, and 100 MB come out, without a byte lost" {
	head -c 100000000 /dev/urandom >"$BATS_TEST_TMPDIR/in"
	args cat
	LIMIT=120 skiff run -b "$bundle" "$id" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
}

@test "input ends while output goes on; output and error stay apart" {
	args sh -c 'cat >/dev/null; sleep 0.2; echo out; echo err >&2; exit 9'
	run -9 --separate-stderr skiff run -b "$bundle" "$id" <<<input
	is out
	is err "$stderr"
}

@test "a program whose reader has gone learns it" {
	args sh -c 'trap "" PIPE; while echo y; do :; done; echo gone >/root/told'
	skiff run -b "$bundle" "$id" 2>/dev/null | head -n 1
	eventually test -s "$bundle/rootfs/root/told"
}

@test "nobody reads: the program waits, and memory does not grow" {
	args sh -c 'dd if=/dev/zero bs=1M count=64; echo end >/root/ended'
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	sleep 1000 <"$BATS_TEST_TMPDIR/pipe" &
	skiff run -d -b "$bundle" "$id" >"$BATS_TEST_TMPDIR/pipe" 2>/dev/null
	sleep 2
	[[ ! -e $bundle/rootfs/root/ended ]]
	(($(awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of)/status") < 8192))
}

@test "exec into the machine: users, capabilities, exit codes, signals" {
	launch
	run -3 in_container sh -c "cat $boot; exit 3"
	is_elsewhere "$output"
	run skiff exec --user 1000:1000 "$id" id
	says "uid=1000"
	run -137 in_container sh -c 'kill -9 $$'
	run -127 in_container nothing-there
	says 'executable file not found in $PATH'
}

@test "exec -d leaves a process that stands for the program" {
	launch
	skiff exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000 >/dev/null 2>&1
	has_processes 2
	kill -KILL "$(<"$BATS_TEST_TMPDIR/pid")"
	eventually has_processes 1
}

@test "ps, events and update are about the guest" {
	launch
	run skiff ps "$id"
	says "sleep 1000"
	run skiff events --stats "$id"
	(($(jq .data.memory.usage.usage <<<"$output") > 0 && $(jq .data.pids.current <<<"$output") == 1))
	skiff update --pids-limit 7 "$id"
	run in_container cat /sys/fs/cgroup/pids.max
	is 7
}

@test "memory and pids limits hold in the guest, whatever controllers the host has" {
	config '.linux.resources.memory.limit = 64000000 | .linux.resources.pids.limit = 5'
	try_inside 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; for i in 1 2 3 4 5 6; do sleep 1 & done'
	is 64000000 "${lines[0]}"
	is 5 "${lines[1]}"
	says "can't fork"
}

@test "events tells of a program that the guest's kernel kills for want of memory" {
	config '.linux.resources.memory.limit = 64000000'
	launch
	skiff events "$id" >"$BATS_TEST_TMPDIR/events" 2>&1 &
	is_told() { # it counts from when it begins to watch
		run -137 skiff exec "$id" probe memory 120000000
		holds "$BATS_TEST_TMPDIR/events" '"oom"'
	}
	eventually is_told
}

@test "the machine has the processors and the memory that were asked for" {
	config '.vm = {"kernel": {"path": $kernel, "parameters": ["skiff.test=yes"]}, "hwConfig": {"vcpus": 2, "memory": 268435456}}' \
		--arg kernel "$(readlink -f "$SKIFF_KERNELS/current/vmlinux")"
	unset SKIFF_SANDBOX
	inside 'nproc; awk "/MemTotal/ { print \$2 }" /proc/meminfo; cat /proc/cmdline'
	is 2 "${lines[0]}"
	((lines[1] > 200000 && lines[1] < 262144))
	says skiff.test=yes
	args nproc
	run skiff run --vm-vcpus 1 -b "$bundle" "$id"
	is 1
}

@test "an annotation and crun's word for it ask for a sandbox, too" {
	local engine=$SKIFF_SANDBOX
	unset SKIFF_SANDBOX
	config --arg e "$engine" '.annotations["org.skiff.sandbox"] = $e'
	inside "cat $boot"
	is_elsewhere "$output"
	config '.annotations = {"run.oci.handler": "krun"}'
	inside "cat $boot"
	is_elsewhere "$output"
	args cat "$boot"
	run skiff run --sandbox none -b "$bundle" "$id"
	is "$(<$boot)"
}

@test "shared files have their owners, modes, links and attributes, both ways" {
	mkdir "$BATS_TEST_TMPDIR/data"
	cd "$BATS_TEST_TMPDIR/data"
	echo text >file
	ln file hard
	ln -s file soft
	chown 1234:5678 file
	chmod 4750 file
	setfattr -n user.color -v blue file
	setfacl -m u:77:r file
	config '.mounts += [{"destination": "/data", "source": $dir, "options": ["rbind"]}]' --arg dir "$PWD"
	privileged
	inside 'cd /data; stat -c "%a %u:%g %h %F" file soft; probe xattr file user.color
		echo more >new; chown 11:22 new; chmod 600 new; ln new new2; mkdir dir; mkfifo fifo; mv hard moved'
	is "4750 1234:5678 2 regular file" "${lines[0]}"
	is "777 0:0 1 symbolic link" "${lines[1]}"
	says blue
	is "600 11:22 2" "$(stat -c '%a %u:%g %h' new)"
	[[ -p fifo && -d dir && moved -ef file && ! -e hard ]]
}

@test "read-only holds against a guest that does as it likes" {
	mkdir "$BATS_TEST_TMPDIR/data"
	config '.root.readonly = true | .mounts += [{"destination": "/data", "source": $dir, "options": ["rbind", "ro"]}]' \
		--arg dir "$BATS_TEST_TMPDIR/data"
	privileged
	# the guest's own kernel lifts what it has set itself; behind it stands the host
	try_inside 'mount -o remount,rw /data; mount -o remount,rw /; touch /data/file; touch /file; ls /data/file /file'
	[[ ! -e $BATS_TEST_TMPDIR/data/file && ! -e $bundle/rootfs/file ]]
	says "Read-only file system"
}

@test "what the host mounts below a bind shows in the guest, not the reverse" {
	mkdir -p "$BATS_TEST_TMPDIR/data/below"
	mount --bind "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/data"
	mount --make-shared "$BATS_TEST_TMPDIR/data"
	config '.mounts += [{"destination": "/data", "source": $dir, "options": ["rbind", "rslave"]}]' --arg dir "$BATS_TEST_TMPDIR/data"
	privileged
	launch
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/data/below"
	touch "$BATS_TEST_TMPDIR/data/below/seen"
	eventually in_container ls /data/below/seen
	in_container mount -t tmpfs tmpfs /data/below
	[[ -e $BATS_TEST_TMPDIR/data/below/seen ]]
}

@test "a guest's root sees the guest, and of the host what it is given" {
	echo secret >"$BATS_TEST_TMPDIR/secret"
	ln -s "$BATS_TEST_TMPDIR/secret" "$bundle/rootfs/link"
	ln -s /proc/1/root/../../.. "$bundle/rootfs/up"
	privileged
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	try_inside 'cat /link; cat /up/'"$BATS_TEST_TMPDIR"'/secret; cat /proc/1/root/run/skiff/share/../../../../'"$BATS_TEST_TMPDIR"'/secret
		ls /proc/1/root/run/skiff/share /proc/1/root/run/skiff/share/rootfs/..; cat /proc/1/comm '"$boot"'; ps'
	[[ $output != *secret$'\n'* && $output != *"$(<$boot)"* && $output != *qemu* && $output != *skiff-vmm* ]]
	says mounts
	says rootfs
}

@test "the machine works without a capability, in an empty root; its file server in what the guest may see" {
	launch
	local engine=0 pid
	for pid in $(monitor_children); do
		[[ $(readlink "/proc/$pid/exe") == *@(qemu-system*|skiff-vmm) ]] || continue
		engine=1
		grep -q '^CapEff:.0000000000000000$' "/proc/$pid/status"
		grep -q '^CapBnd:.0000000000000000$' "/proc/$pid/status"
		grep -q '^Uid:.65534' "/proc/$pid/status"
		grep -q '^Seccomp:.2' "/proc/$pid/status"
		[[ ! -e /proc/$pid/root/home && ! -e /proc/$pid/root/root && ! -e /proc/$pid/root/etc/passwd ]]
	done
	((engine))
	grep -q '^CapEff:.0000000000000000$' "/proc/$(pid_of)/status"
	grep -q '^Seccomp:.2' "/proc/$(pid_of)/status"
}

@test "a container engine works inside: skiff starts a container in the sandbox" {
	privileged
	cp "$SKIFF" "$bundle/rootfs/bin/skiff"
	mkdir -p "$bundle/rootfs/inner/rootfs/bin"
	cp "$bundle/rootfs/bin/busybox" "$bundle/rootfs/inner/rootfs/bin/sh"
	"$SKIFF" spec -f - | jq '.process.terminal = false | .process.args = ["sh", "-c", "echo inner $$"] | .hostname = "inner"' \
		>"$bundle/rootfs/inner/config.json"
	config '.mounts += [{"destination": "/run", "type": "tmpfs", "source": "tmpfs"}]'
	inside 'skiff run -b /inner one; skiff list -q'
	is "inner 1"
}

@test "a kernel that panics ends the container, and its last words are shown" {
	privileged
	try_inside 'echo c >/proc/sysrq-trigger; sleep 100'
	[[ $status == 255 ]]
	says "Kernel panic"
	nothing_left
}

@test "a kernel that is none is said to be none; nothing hangs, nothing is left" {
	head -c 100000 /dev/urandom >"$BATS_TEST_TMPDIR/kernel"
	args true
	run ! skiff run --vm-kernel "$BATS_TEST_TMPDIR/kernel" -b "$bundle" "$id"
	says "the machine has ended"
	nothing_left
}

@test "what a host lacks is named, with the way out" {
	args true
	run -1 env SKIFF_KERNELS=/nowhere HOME=/nowhere "$SKIFF" --root "$root" run -b "$bundle" "$id"
	says "skiff kernel fetch"
	run -1 env PATH=/nowhere "$SKIFF" --root "$root" run --sandbox qemu -b "$bundle" "$id"
	says "install it (Debian: qemu-system-x86)"
	run -1 skiff run --sandbox qemu --vm-hypervisor /nowhere/vmm -b "$bundle" "$id"
	says ".vm.hypervisor.path: /nowhere/vmm"
	run -1 skiff run --sandbox vmware -b "$bundle" "$id"
	says "neither kvm, qemu, auto nor none"
	nothing_left
}

@test "a host without /dev/kvm, or with one that cannot run kernels, is found out within a second" {
	args true
	local began=${EPOCHREALTIME/./}
	run skiff run --sandbox kvm -b "$bundle" "$id"
	[[ $status != 0 ]] || return 0 # this one can
	((${EPOCHREALTIME/./} - began < 1000000))
	says "/dev/kvm"
	says "--sandbox qemu"
	nothing_left
}

@test "what a sandbox cannot have is refused by the field's name" {
	refused() { # JQ-FILTER WORDS
		cp "$bundle/config.json" "$bundle/config.kept"
		config "$1"
		run -1 skiff run -b "$bundle" "$id"
		says "$2"
		mv "$bundle/config.kept" "$bundle/config.json"
	}
	refused '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/self/ns/ipc" else . end)' ".path: a sandbox has a kernel of its own"
	refused 'del(.linux.namespaces[] | select(.type == "network"))' "cannot share the host's network"
	refused '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}' \
		".linux.seccomp.listenerPath"
	refused '.vm = {"kernel": {"path": "/x"}, "hwConfig": {"deviceTree": "/x"}}' ".vm.hwConfig.deviceTree"
	refused '.vm = {"kernel": {"path": "/x"}, "hwConfig": {"irqs": [5]}}' ".vm.hwConfig.irqs"
	SKIFF_SANDBOX=qemu refused '.annotations["org.skiff.sandbox.vsock"] = "/tmp"' "org.skiff.sandbox.vsock]: QEMU has no such sockets; --sandbox kvm has"
	refused '.annotations["org.skiff.sandbox.vsock"] = "tmp"' "does not begin with /"
	refused '.vm = {"kernel": {"path": "/nowhere"}}' ".vm.kernel.path: /nowhere"
	refused '.vm = {"kernel": {"path": "/x"}, "hwConfig": {"memory": 1000000}}' "at least 128 MiB"
	nothing_left
}

@test "whatever is killed, nothing is left" {
	launch
	kill -KILL "$(pid_of)"
	eventually status_is stopped
	skiff delete "$id"
	nothing_left
	launch
	kill -KILL "$(monitor_children | head -n 1)"
	eventually status_is stopped
	skiff delete "$id"
	nothing_left
	args sleep 1000
	"$SKIFF" --root "$root" run -b "$bundle" "$id" >"$log" 2>&1 &
	sleep 0.7
	kill -INT $!
	wait $! || true
	nothing_left
}

@test "a network namespace of the host's reaches the guest: address, route, name, both families" {
	ip netns add "$id-c"
	ip netns add "$id-h"
	ip -n "$id-h" link add out type veth peer name eth0 netns "$id-c" address 02:00:00:00:00:07
	ip -n "$id-h" addr add 10.77.0.1/24 dev out
	ip -n "$id-h" addr add fd77::1/64 dev out nodad
	ip -n "$id-h" addr add 192.0.2.1/32 dev lo
	ip -n "$id-h" link set out up
	ip -n "$id-h" link set lo up
	ip -n "$id-c" addr add 10.77.0.2/24 dev eth0
	ip -n "$id-c" addr add fd77::2/64 dev eth0 nodad
	ip -n "$id-c" link set eth0 mtu 1400 up
	ip -n "$id-c" route add default via 10.77.0.1
	config '.linux.namespaces |= map(if .type == "network" then .path = $ns else . end)' --arg ns "/run/netns/$id-c"
	ip netns exec "$id-h" busybox nc -l -p 7777 -e /bin/cat &
	ip netns exec "$id-h" busybox nc -l -p 7778 -e /bin/cat &
	inside 'ip addr show eth0; ip route; echo hello | nc -w 5 192.0.2.1 7777; echo six | nc -w 5 fd77::1 7778'
	says "10.77.0.2/24"
	says "02:00:00:00:00:07"
	says "mtu 1400"
	says "default via 10.77.0.1"
	says hello
	says six
	ip netns del "$id-c"
	ip netns del "$id-h"
}

@test "an image is run in a sandbox, and what it wrote is seen by diff" {
	export SKIFF_STORE=$BATS_TEST_TMPDIR/store
	run skiff run --image "rootfs:$bundle/rootfs" --store "$BATS_TEST_TMPDIR/store" --net none --name "$id" -- sh -c "cat $boot; echo new >/new"
	is_elsewhere "${lines[-1]}"
	run skiff diff "$id"
	says "A /new"
}

@test "the guest's system comes from a disk, its container from the root" {
	mkdir -p "$BATS_TEST_TMPDIR/system/etc"
	echo mark >"$BATS_TEST_TMPDIR/system/etc/system"
	truncate -s 8M "$BATS_TEST_TMPDIR/disk"
	mkfs.ext4 -q -d "$BATS_TEST_TMPDIR/system" "$BATS_TEST_TMPDIR/disk"
	privileged
	config 'del(.linux.namespaces[] | select(.type == "pid")) | .vm = {"kernel": {"path": $kernel}, "image": {"path": $disk, "format": "raw"}}' \
		--arg kernel "$(readlink -f "$SKIFF_KERNELS/current/vmlinux")" --arg disk "$BATS_TEST_TMPDIR/disk"
	inside 'cat /proc/1/root/etc/system; echo changed >/proc/1/root/etc/system; ls /bin/busybox'
	says mark
	says /bin/busybox
}

# The bundle's root becomes an image, and nothing else is left of it.
root_image() { # EROFS-OR-SQUASHFS-OR-EXT4
	case $1 in
	erofs) mkfs.erofs "$bundle/root.image" "$bundle/rootfs" ;;
	squashfs) mksquashfs "$bundle/rootfs" "$bundle/root.image" -quiet -no-progress ;;
	ext4) truncate -s 32M "$bundle/root.image" && mkfs.ext4 -q -d "$bundle/rootfs" "$bundle/root.image" ;;
	esac >/dev/null 2>&1
	rm -r "$bundle/rootfs"
	config '.root.path = "root.image"'
}

@test "the container's root is an image: erofs, squashfs, ext4; what is written stays in the guest" {
	local kind sum
	for kind in erofs squashfs ext4; do
		cp -a "$BATS_RUN_TMPDIR/busybox/rootfs" "$bundle/rootfs.$kind"
		rm -rf "$bundle/rootfs"
		mv "$bundle/rootfs.$kind" "$bundle/rootfs"
		chmod 751 "$bundle/rootfs"
		chown 12:34 "$bundle/rootfs/root"
		root_image "$kind"
		chmod 600 "$bundle/root.image"
		sum=$(md5sum <"$bundle/root.image")
		inside 'stat -c "%a %u:%g" / /root; echo new >/bin/new; rm /bin/ls; cat /bin/new; grep " / " /proc/mounts; mount | grep -c virtiofs || true'
		[[ $kind == ext4 ]] || is "751 0:0" "${lines[0]}" # mkfs.ext4 leaves it as it is
		is "755 12:34" "${lines[1]}"
		is new "${lines[2]}"
		[[ ${lines[3]} == "overlay / overlay rw"* ]]
		is 0 "${lines[4]}"
		is "$sum" "$(md5sum <"$bundle/root.image")"
		rm "$bundle/root.image"
	done
}

@test "an image as root: read-only, with mounts of the host's at places that it lacks, exec and a user" {
	mkdir "$BATS_TEST_TMPDIR/data"
	echo of the host >"$BATS_TEST_TMPDIR/data/file"
	root_image erofs
	config '.root.readonly = true | .mounts += [{"destination": "/made/here", "source": $dir, "options": ["rbind", "ro"]}]' \
		--arg dir "$BATS_TEST_TMPDIR/data"
	launch
	run in_container sh -c 'cat /made/here/file; touch /file'
	is "of the host" "${lines[0]}"
	says "Read-only file system"
	run skiff exec --user 1000 "$id" id -u
	is 1000
	skiff update --pids-limit 9 "$id"
	local device
	device=$(stat -c %d "$bundle/root.image")
	run -1 skiff update -r - "$id" <<<"{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": $((device >> 8)), \"minor\": $((device & 255)), \"rate\": 1000}]}}"
	says "fixed when it is made"
}

@test "what is written to a root out of an image counts to the container's memory" {
	root_image erofs
	config '.linux.resources.memory.limit = 64000000'
	try_inside 'dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null; wc -c </big; dd if=/dev/zero of=/bigger bs=1M count=100 2>/dev/null; echo $?'
	is 20971520 "${lines[0]}"
	is 137 "${lines[1]}"
}

@test "an image as root that is none, or without a sandbox: said, and nothing is left" {
	root_image erofs
	head -c 100000 /dev/urandom >"$bundle/root.image"
	args true
	run ! skiff run -b "$bundle" "$id"
	says ".root.path: the kernel finds no file system that it knows in it"
	run -1 env -u SKIFF_SANDBOX "$SKIFF" --root "$root" run -b "$bundle" "$id"
	says "with --sandbox it may be an image"
	nothing_left
}

@test "limits of disk and network: those that hold, and those that cannot are refused by name" {
	refused() { # KEY VALUE WORDS
		config '.annotations = {"org.skiff.sandbox.\($key)": $value}' --arg key "$1" --arg value "$2"
		run -1 skiff run -b "$bundle" "$id"
		says "$3"
	}
	export SKIFF_SANDBOX=qemu
	args true
	refused disk-bytes 1000 "the machine has no disk"
	root_image erofs
	refused disk-bytes many ".annotations[org.skiff.sandbox.disk-bytes]: 'many' is no number of bytes above 0"
	refused disk-bytes 0 "above 0"
	refused disk-requests -1 ".annotations[org.skiff.sandbox.disk-requests]: '-1' is no number above 0"
	refused net-packets 4294967296 "is no number above 0"
	refused net-bytes 1m ".annotations[org.skiff.sandbox.net-bytes]: QEMU cannot limit a network; --sandbox kvm does"
	nothing_left
	# QEMU tells no counts: what it is told is what can be seen
	config '.annotations = {"org.skiff.sandbox.disk-bytes": "5m", "org.skiff.sandbox.disk-requests": "1000"} | .process.args = ["sleep", "1000"]'
	launch
	tr '\0' ' ' <"/proc/$(pgrep -P "$(pid_of)" qemu-system)/cmdline" >"$BATS_TEST_TMPDIR/words"
	holds "$BATS_TEST_TMPDIR/words" "throttling.bps-total=5242880,throttling.iops-total=1000"
	holds "$BATS_TEST_TMPDIR/words" "serial=root"
}

@test "an initramfs of one's own comes before skiff's" {
	mkdir -p "$BATS_TEST_TMPDIR/early"
	echo mine >"$BATS_TEST_TMPDIR/early/mine"
	(cd "$BATS_TEST_TMPDIR/early" && echo mine | cpio -o -H newc --quiet) >"$BATS_TEST_TMPDIR/initrd"
	args true
	run -0 skiff run --vm-initrd "$BATS_TEST_TMPDIR/initrd" -b "$bundle" "$id"
}

@test "each step fails once: the error names it, and nothing is left" {
	SKIFF=$top/build/steps/skiff
	local step
	args true
	# those that apply: "+ init  start the machine"
	while read -r _ _ step; do
		[[ $step != "wait for start" ]] || continue # run does not
		FAIL_STEP=$step run -1 skiff run -b "$bundle" "$id"
		says "$step: failed on purpose"
		nothing_left
	done < <("$SKIFF" explain "$bundle" | sed '/^$/q' | grep '^+')
}
