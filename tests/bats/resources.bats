# linux.resources where no controller is needed: device rules, and what cgroup version 2 cannot do. FEATURES F53 to F70.
load helpers

limit() { # JQ-FILTER below .linux.resources
	config ".linux.resources$1"
}

@test "F53 device rules: what is not allowed cannot be opened, the usual devices can" {
	config '.process.capabilities.bounding += ["CAP_MKNOD"] | .process.capabilities.permitted += ["CAP_MKNOD"]
		| .process.capabilities.effective += ["CAP_MKNOD"]'
	inside 'mknod /tmp/kmsg c 1 11 && { head -c 0 /tmp/kmsg 2>/dev/null && echo opened || echo denied; }
		for d in null zero full random urandom tty; do test -c /dev/$d || echo missing $d; done
		head -c 1 /dev/zero >/dev/null && echo fine'
	is $'denied\nfine'
}

@test "F53 a rule that allows a device opens it, and update takes it back" {
	config '.process.capabilities.bounding += ["CAP_MKNOD", "CAP_SYSLOG"] | .process.capabilities.permitted = .process.capabilities.bounding
		| .process.capabilities.effective = .process.capabilities.bounding'
	limit '.devices += [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]'
	launch
	run -0 skiff exec "$id" sh -c 'mknod /tmp/fuse c 10 229; (: </tmp/fuse) && echo opened'
	says opened
	skiff update -r - "$id" <<<'{"devices": [{"allow": false, "access": "rwm"}]}'
	run skiff exec "$id" sh -c '(: </tmp/fuse) && echo opened || echo denied'
	says denied
}

@test "F56 memory settings of version 1 are a warning that names them" {
	limit '.memory = {"swappiness": 60}'
	args true
	run -0 skiff --log-level warning run -b "$bundle" "$id"
	says memory.swappiness
}

@test "F62 real-time limits of version 1 are an error that names them" {
	limit '.cpu = {"realtimeRuntime": 1000, "realtimePeriod": 10000}'
	run -1 create
	says cpu.realtime
}

@test "F65 leafWeight of version 1 is named" {
	limit '.blockIO = {"leafWeight": 100}'
	args true
	run skiff --log-level warning run -b "$bundle" "$id"
	says blockIO.leafWeight
}

@test "F68 network class and priorities of version 1 are an error that names them" {
	limit '.network = {"classID": 5}'
	run -1 create
	says network.classID
	limit '.network = {"priorities": [{"name": "lo", "priority": 3}]}'
	run -1 create
	says network.priorities
}

@test "F70 rdma limits are set, or the controller that is missing is named" {
	limit '.rdma = {"mlx5_0": {"hcaHandles": 3, "hcaObjects": 10}}'
	run -1 create
	says rdma
}
