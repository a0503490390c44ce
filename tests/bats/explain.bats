# skiff explain: the story of a bundle, against a golden file for each example. To renew them after a change that was
# meant: GOLDEN=write bats tests/bats/explain.bats
load helpers

compare() { # NAME
	local golden=$top/tests/data/explain/$1.golden
	run -0 skiff explain "$bundle/"
	[[ ${GOLDEN-} != write ]] || printf '%s\n' "$output" >"$golden"
	diff -u "$golden" - <<<"$output"
}

@test "explain of the example" {
	skiff spec -f - >"$bundle/config.json"
	compare example
}

@test "explain of a container with a user namespace and nothing else" {
	config '.linux = {"namespaces": [{"type": "mount"}, {"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 9}],
		"gidMappings": [{"containerID": 0, "hostID": 1, "size": 9}]} | .mounts = [] | del(.hostname)'
	compare user
}

@test "explain of a container that joins namespaces" {
	config '.linux.namespaces = [{"type": "mount"}, {"type": "network", "path": "/proc/1/ns/net"}, {"type": "ipc", "path": "/x"}]
		| del(.hostname)'
	compare join
}

@test "explain of a container with everything" {
	config '.hooks = {"prestart": [{"path": "/a"}], "createContainer": [{"path": "/b"}], "startContainer": [{"path": "/c"}],
			"poststart": [{"path": "/d"}], "poststop": [{"path": "/e"}]}
		| .process.terminal = true | .process.oomScoreAdj = 5 | .process.noNewPrivileges = false
		| .linux.sysctl = {"net.ipv4.ip_forward": "1"} | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW"}
		| .linux.namespaces += [{"type": "time"}] | .domainname = "d" | .linux.netDevices = {"eth0": {}}
		| .linux.intelRdt = {"closID": "x"} | .process.apparmorProfile = "p"
		| .mounts += [{"destination": "/data", "source": "/etc", "options": ["bind", "ro"]},
			{"destination": "/tmp", "type": "tmpfs", "options": ["tmpcopyup"]},
			{"destination": "/proc", "options": ["remount", "ro"]}]'
	compare everything
}

@test "explain of a container without a process" {
	config 'del(.process) | del(.linux.maskedPaths, .linux.readonlyPaths)'
	compare no-process
}

@test "explain needs no rights and changes nothing" {
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	cp "$SKIFF" "$BATS_TEST_TMPDIR/skiff"
	before=$(find "$bundle" | sort)
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups "$BATS_TEST_TMPDIR/skiff" explain "$bundle/"
	says "become the program"
	is "$before" "$(find "$bundle" | sort)"
	[[ ! -e $root ]]
}

@test "explain of a bad config.json is its error" {
	config '.process.cwd = 5'
	run -1 skiff explain "$bundle/"
	one_line
	says ".process.cwd: want a string"
}
