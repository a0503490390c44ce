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
