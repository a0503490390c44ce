# What a caller gets when something is wrong: one line, one JSON object, a status, and nothing left behind.
load helpers

# config.json as given must be refused with these words.
refuses() { # WORDS
	run -1 skiff create -b "$bundle" "$id"
	one_line
	says "$1"
	says "skiff: create: "
	nothing_left
}
refuses_edit() { # JQ-FILTER WORDS
	cp "$bundle/config.json" "$BATS_TEST_TMPDIR/kept"
	config "$1"
	refuses "$2"
	mv "$BATS_TEST_TMPDIR/kept" "$bundle/config.json"
}

@test "an error is one line on standard error that names command, step and object" {
	config '.mounts += [{"destination": "/x", "type": "nonsense"}]'
	run --separate-stderr skiff run -b "$bundle" "$id"
	is 1 "$status"
	is ""
	# shellcheck disable=SC2154
	is "skiff: run: mount the file systems: mounts[7] (/x): fsopen nonsense: No such device" "$stderr"
	nothing_left
}

@test "with --log the same is one JSON object with level, msg and time" {
	config '.mounts += [{"destination": "/x", "type": "nonsense"}]'
	run -1 skiff --log "$log" --log-format json run -b "$bundle" "$id"
	one_line
	is 1 "$(wc -l <"$log")"
	jq -e '.level == "error" and (.time | test("^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]+Z$"))' "$log"
	is "$output" "skiff: $(jq -r .msg "$log")"
}

@test "the log is appended to, takes file: too, and stays empty when all is well" {
	args true
	run -0 skiff --log "file:$log" --log-format json run -b "$bundle" "$id"
	is 0 "$(wc -c <"$log")"
	run -1 skiff --log "file:$log" state nobody
	run -1 skiff --log "$log" state nobody
	is 2 "$(grep -c 'does not exist' "$log")"
}

@test "a log that cannot be written is an error" {
	run -1 skiff --log /no/such/folder/log list
	one_line
	says "/no/such/folder/log"
}

@test "--debug tells each step with its time, and the program is not disturbed" {
	args echo hello
	run --separate-stderr skiff --debug run -b "$bundle" "$id"
	is hello
	says "init: mount the file systems: " "$stderr"
	says "host: reserve the id: " "$stderr"
	[[ $stderr =~ "become the user: "[0-9]+" us" ]]
}

@test "nothing is printed by commands that succeed quietly" {
	launch
	for command in pause resume; do
		run -0 skiff $command "$id"
		is ""
	done
	run -0 skiff kill "$id" KILL
	is ""
	eventually status_is stopped
	run -0 skiff delete "$id"
	is ""
}

@test "text that is not JSON names the line" {
	for text in '' ' ' '{' '[' '{"ociVersion": "1.0.0",' '}' 'x' '{"ociVersion": tru' $'{\n"a": nonsense}' '{"a":"\x"}'; do
		printf %s "$text" >"$bundle/config.json"
		refuses "config.json: "
	done
	printf '{\n"ociVersion": "1.0.0",\nnonsense}' >"$bundle/config.json"
	refuses "line 3"
}

@test "every truncation of a config.json is refused" {
	jq -c . "$bundle/config.json" >"$BATS_TEST_TMPDIR/whole"
	size=$(($(wc -c <"$BATS_TEST_TMPDIR/whole") - 2))
	for ((at = 0; at < size; at += 61)); do
		head -c $at "$BATS_TEST_TMPDIR/whole" >"$bundle/config.json"
		run -1 skiff create -b "$bundle" "$id"
		one_line
	done
	nothing_left
}

@test "JSON that is something other than an object is refused" {
	for text in '[]' '"x"' 5 null true '[{}]'; do
		printf %s "$text" >"$bundle/config.json"
		refuses "want an object"
	done
}

@test "deep nesting is refused, not followed to the end of the stack" {
	for open in '[' '{"a":'; do
		/usr/bin/python3 -c "print('{\"ociVersion\": \"1.0.0\", \"annotations\": ' + '$open' * 100000, end='')" >"$bundle/config.json"
		refuses "config.json: "
		/usr/bin/python3 -c "print('{\"x\": ' + '$open' * 100000, end='')" >"$bundle/config.json"
		refuses "config.json: "
	done
}

@test "a huge config.json is refused, a large one is fine" {
	args true
	config '.annotations.big = "x" * 1000000'
	run -0 skiff run -b "$bundle" "$id"
	{ head -c -2 "$bundle/config.json"; printf ', "y": "'; head -c 20000000 /dev/zero | tr '\0' x; printf '"}'; } >"$bundle/new"
	mv "$bundle/new" "$bundle/config.json"
	refuses "config.json"
}

@test "bytes that are not UTF-8 are refused, UTF-8 is kept" {
	config '.annotations.a = "MARK"'
	sed -i 's/MARK/\xff\xfe/' "$bundle/config.json"
	refuses "config.json: "
	config_text=$(sed 's/\xff\xfe/ünï\\u0063öde/' "$bundle/config.json")
	printf %s "$config_text" >"$bundle/config.json"
	create
	is "ünïcöde" "$(state_of annotations.a)"
}

@test "a zero byte in a string is refused where it would cut a path or word short" {
	config '.root.path = "rootfs\u0000x"'
	refuses "config.json: "
}

@test "wrong types name the JSON path and what is wanted" {
	while read -r line; do
		edit=${line%% => *}
		words=${line#* => }
		refuses_edit "$edit" "config.json: $words"
	done <<-'END'
		.ociVersion = 1 => .ociVersion: want a string
		.process = [] => .process: want an object
		.process.args = "sh" => .process.args: want an array of strings
		.process.args[0] = 5 => .process.args[0]: want a string
		.process.user.uid = "0" => .process.user.uid: want a number from 0 to 4294967295
		.process.user.uid = -1 => .process.user.uid: want a number from 0 to 4294967295
		.process.user.uid = 4294967296 => .process.user.uid: want a number from 0 to 4294967295
		.process.user.uid = 1.5 => .process.user.uid: want a number from 0 to 4294967295
		.process.user.additionalGids = [1, "x"] => .process.user.additionalGids[1]: want a number
		.process.terminal = "yes" => .process.terminal: want true or false
		.process.rlimits[0].soft = -5 => .process.rlimits[0].soft: want a whole number that is not negative
		.process.rlimits[0].type = "RLIMIT_X" => .process.rlimits[0].type: 'RLIMIT_X' is not a resource limit
		.process.oomScoreAdj = "x" => .process.oomScoreAdj: want a whole number
		.root = "rootfs" => .root: want an object
		.mounts = {} => .mounts: want an array of objects
		.mounts[2] = 5 => .mounts[2]: want an object
		.mounts[2].options = "ro" => .mounts[2].options: want an array of strings
		.mounts[0] |= del(.destination) => .mounts[0].destination: is required
		.linux.namespaces[1].type = "nope" => .linux.namespaces[1].type: 'nope' is not a namespace type
		.linux.resources.pids = {"limit": "5"} => .linux.resources.pids.limit: want a whole number
		.linux.sysctl = {"net.a": 1} => .linux.sysctl.net.a: want a string
		.annotations = {"a": 1} => .annotations.a: want a string
		.hooks = {"poststop": [{"path": 5}]} => .hooks.poststop[0].path: want a string
		.linux.seccomp = {"defaultAction": "SCMP_ACT_X"} => .linux.seccomp.defaultAction: 'SCMP_ACT_X' is not a seccomp action
		.linux.timeOffsets = {"monotonic": 5} => .linux.timeOffsets.monotonic: want an object
	END
}

@test "rules between fields name the JSON path" {
	while read -r line; do
		edit=${line%% => *}
		words=${line#* => }
		refuses_edit "$edit" "config.json: $words"
	done <<-'END'
		.ociVersion = "2.0.0" => .ociVersion: '2.0.0'
		del(.ociVersion) => .ociVersion: is required
		del(.root) => .root is required
		.root.path = "" => .root.path
		del(.process.cwd) => .process.cwd: is required
		.process.cwd = "tmp" => .process.cwd: 'tmp' is not absolute
		.process.args = [] => .process.args
		.process.args = [""] => .process.args
		.process.rlimits += [.process.rlimits[0]] => .process.rlimits[1]: a second RLIMIT_NOFILE
		.process.rlimits[0].soft = 2000 => .process.rlimits[0]: soft 2000 is more than hard 1024
		.process.user.uid = 4294967295 => .process.user: 4294967295 is no user
		.process.user.umask = 4095 => .process.user.umask
		.process.oomScoreAdj = 1001 => .process.oomScoreAdj
		.linux.namespaces += [{"type": "pid"}] => .linux.namespaces[6]: a second 'pid'
		del(.linux.namespaces[] | select(.type == "mount")) => .linux.namespaces: the mount namespace is missing
		del(.linux.namespaces[] | select(.type == "uts")) => .hostname: needs a uts namespace
		.linux.namespaces[0].path = "x" => .linux.namespaces[0].path: 'x' is not absolute
		.linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 1}] => .linux.uidMappings: needs a new user namespace
		.linux.timeOffsets = {"monotonic": {"secs": 1}} => .linux.timeOffsets: needs a new time namespace
		.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"x": {"secs": 1}} => .linux.timeOffsets.x: want boottime or monotonic
		.linux.sysctl = {"kernel.panic": "1"} => .linux.sysctl.kernel.panic: belongs to no namespace
		.linux.sysctl = {"net.ipv4.../x": "1"} => .linux.sysctl
		del(.linux.namespaces[] | select(.type == "network")) | .linux.sysctl = {"net.ipv4.ip_forward": "1"} => .linux.sysctl.net.ipv4.ip_forward: needs a network namespace
		.linux.devices = [{"type": "c", "path": "x"}] => .linux.devices[0].path
		.linux.resources.devices[0].access = "rwx" => .linux.resources.devices[0].access
		.linux.resources.unified = {"../x.y": "1"} => .linux.resources.unified
		.hooks = {"prestart": [{"path": "x"}]} => .hooks.prestart[0].path: 'x' is not absolute
		.hooks = {"prestart": [{"path": "/x", "timeout": 0}]} => .hooks.prestart[0].timeout
		.mounts += [{"destination": ""}] => .mounts[7].destination
		.mounts += [{"destination": "/x"}] => .mounts[7].type
		.mounts += [{"destination": "/x", "options": ["bind"]}] => .mounts[7].source
		.mounts += [{"destination": "/x", "source": "/etc", "options": ["bind", "size=5"]}] => .mounts[7].options
		.mounts += [{"destination": "/x", "type": "proc", "options": ["tmpcopyup"]}] => .mounts[7].options
		.linux.personality = {"domain": "LINUX", "flags": ["x"]} => .linux.personality.flags
	END
}

@test "unknown fields are ignored, as the specification demands" {
	config '.future = {"a": [1, {"b": null}]} | .process.future = 1 | .linux.future = "x" | .mounts[0].future = true
		| .linux.resources.future = []'
	inside 'echo fine'
	is fine
}

@test "an unknown capability is a warning, not an error" {
	config '.process.capabilities.bounding += ["CAP_FUTURE"]'
	args echo fine
	run --separate-stderr skiff --log-level warning run -b "$bundle" "$id"
	is 0 "$status"
	is fine
	says CAP_FUTURE "$stderr"
	run --separate-stderr skiff run -b "$bundle" "$id"
	is "" "$stderr"
}

@test "null is as if the field were not there" {
	config '.annotations = null | .linux.seccomp = null | .process.oomScoreAdj = null | .hooks = null | .linux.devices = null'
	inside 'echo fine'
	is fine
}

@test "a process that dies while it is set up is told, not taken for started" {
	config '.mounts += [{"destination": "/x", "type": "tmpfs", "options": ["size=nonsense"]}]'
	refuses "tmpfs"
}

@test "a state folder that cannot be made is named" {
	touch "$BATS_TEST_TMPDIR/file"
	run -1 timeout 10 "$SKIFF" --root "$BATS_TEST_TMPDIR/file/states" run -b "$bundle" "$id"
	one_line
	says "$BATS_TEST_TMPDIR/file"
}

@test "a folder of states on a full or read-only file system is an error that leaves nothing" {
	mkdir "$root"
	mount -t tmpfs -o size=4k tmpfs "$root"
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "No space left on device"
	is "" "$(ls "$root")"
	mount -o remount,ro "$root"
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "Read-only file system"
	umount "$root"
	nothing_left
}

@test "a state.json that is damaged does not spoil list, and can be deleted" {
	launch
	skiff create -b "$bundle" "$id.good" >"$log" 2>&1
	echo garbage >"$root/$id/state.json"
	run -0 skiff list -q
	is "$id.good"
	run -1 skiff state "$id"
	one_line
	run -1 skiff start "$id"
	one_line
	run -1 skiff update --pids-limit 5 "$id"
	one_line
	run -255 in_container true
	one_line
	run -0 skiff kill "$id" KILL
	run -0 skiff delete --force "$id"
	[[ ! -e $root/$id ]]
	eventually rmdir "$cgroups/skiff/$id"
}
