# Devices: the nodes in /dev, and the rules about which may be used.
load helpers

may_make_nodes() {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"])'
}

@test "the devices that every container has are there and work" {
	inside 'for d in null zero full random urandom tty; do stat -c "%n %t %T %a %u" /dev/$d; done
		for l in fd stdin stdout stderr ptmx; do echo $l $(readlink /dev/$l); done'
	is "/dev/null 1 3 666 0" "${lines[0]}"
	is "/dev/zero 1 5 666 0" "${lines[1]}"
	is "/dev/full 1 7 666 0" "${lines[2]}"
	is "/dev/random 1 8 666 0" "${lines[3]}"
	is "/dev/urandom 1 9 666 0" "${lines[4]}"
	is "/dev/tty 5 0 666 0" "${lines[5]}"
	is "fd /proc/self/fd" "${lines[6]}"
	is "stdin /proc/self/fd/0" "${lines[7]}"
	is "ptmx pts/ptmx" "${lines[10]}"
	inside 'echo x >/dev/null; head -c5 /dev/urandom | wc -c; echo x 2>&1 >/dev/full || echo full'
	says 5
	says full
}

@test "devices of the configuration are made with their numbers, modes and owners" {
	config '.linux.devices = [
		{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229, "fileMode": 432, "uid": 5, "gid": 6},
		{"type": "u", "path": "/dev/char", "major": 1, "minor": 3},
		{"type": "b", "path": "/dev/block", "major": 7, "minor": 0, "fileMode": 384},
		{"type": "p", "path": "/dev/deep/pipe", "fileMode": 420}]'
	inside 'stat -c "%n %F %t %T %a %u %g" /dev/fuse /dev/char /dev/block /dev/deep/pipe'
	is "/dev/fuse character special file a e5 660 5 6" "${lines[0]}"
	is "/dev/char character special file 1 3 666 0 0" "${lines[1]}"
	is "/dev/block block special file 7 0 600 0 0" "${lines[2]}"
	is "/dev/deep/pipe fifo 0 0 644 0 0" "${lines[3]}"
}

@test "a device outside of /dev is made in the root" {
	config '.linux.devices = [{"type": "c", "path": "/special/zero", "major": 1, "minor": 5, "fileMode": 438}]'
	inside 'head -c3 /special/zero | wc -c'
	is 3
}

@test "a device of the configuration may replace a usual one" {
	config '.linux.devices = [{"type": "c", "path": "/dev/null", "major": 1, "minor": 3, "fileMode": 384, "uid": 0, "gid": 0}]'
	inside 'stat -c "%t %T %a" /dev/null'
	is "1 3 600"
}

@test "without a mount at /dev the devices are put into the root's" {
	config 'del(.mounts[] | select(.destination | startswith("/dev")))'
	inside 'echo x >/dev/null; stat -c "%t %T" /dev/zero'
	is "1 5"
	[[ -c $bundle/rootfs/dev/null ]]
}

@test "in a user namespace the host's devices stand in" {
	users 100000
	config '.linux.devices = [{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229}]'
	inside 'stat -c "%t %T" /dev/null /dev/fuse; echo x >/dev/null'
	is "1 3 a e5" "$(paste -sd' ' <<<"$output")"
}

@test "rules: what is not allowed cannot be opened, what is can" {
	may_make_nodes
	inside 'mknod /tmp/fuse c 10 229; cat /tmp/fuse 2>&1; mknod /tmp/zero c 1 5; head -c2 /tmp/zero | wc -c'
	says "Operation not permitted"
	is 2 "${lines[-1]}"
	config '.linux.resources.devices += [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]'
	rm "$bundle/rootfs/tmp/"*
	inside 'mknod /tmp/fuse c 10 229; exec 5<>/tmp/fuse; echo opened'
	is opened
}

@test "rules: reading and writing are told apart, the last match wins" {
	may_make_nodes
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"},
		{"allow": true, "type": "c", "major": 10, "access": "rwm"}, {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "w"}]'
	inside 'mknod /tmp/fuse c 10 229; (: </tmp/fuse) && echo read; (: >/tmp/fuse) 2>&1; true'
	is read "${lines[0]}"
	says "Operation not permitted" "${lines[1]}"
}

@test "rules: without any every device may be used" {
	may_make_nodes
	config '.linux.resources.devices = []'
	inside 'mknod /tmp/fuse c 10 229; : </tmp/fuse && echo read'
	is read
}

@test "rules: exec is under them too" {
	may_make_nodes
	launch
	run -1 in_container sh -c 'mknod /tmp/fuse c 10 229; : </tmp/fuse'
	says "Operation not permitted"
}

@test "rules hold without CAP_SYS_RESOURCE in skiff" {
	may_make_nodes
	args sh -c 'mknod /tmp/fuse c 10 229; : </tmp/fuse'
	run capsh --drop=cap_sys_resource -- -c '"$0" "$@"' "$SKIFF" --root "$root" run -b "$bundle" "$id"
	says "Operation not permitted"
}

@test "the terminal multiplexer and the terminals may be used under the strictest rules" {
	inside 'exec 5<>/dev/ptmx && ls /dev/pts'
	says ptmx
}

@test "a network device moves into the container, or the runtime says that it cannot" {
	near=skn$BATS_SUITE_TEST_NUMBER
	ip link del "$near" 2>/dev/null || true
	ip link add "$near" type veth peer name "skf$BATS_SUITE_TEST_NUMBER" || skip "no veth devices here"
	config --arg d "$near" '.linux.netDevices = {($d): {"name": "eth0"}}'
	try_inside 'ls /sys/class/net'
	ip link del "skf$BATS_SUITE_TEST_NUMBER" 2>/dev/null || true
	if [[ $(skiff features | jq .linux.netDevices.enabled) == true ]]; then
		is "eth0 lo" "$(paste -sd' ' <<<"$output")"
	else
		is 1 "$status"
		one_line
		says ".linux.netDevices"
	fi
}
