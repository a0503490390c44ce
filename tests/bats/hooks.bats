# Hooks: when they run, in which namespaces, with what, and what their failure does.
load helpers

setup() {
	begin
	trace=$BATS_TEST_TMPDIR/trace
	: >"$trace"
}

# A hook of the host's: a script in the test's folder.
hook() { # KIND SCRIPT [JQ-OBJECT]: adds it
	local n path
	n=$(jq "[.hooks[]?[]?] | length" "$bundle/config.json")
	path=$BATS_TEST_TMPDIR/hook$n
	printf '#!/bin/bash\n%s\n' "$2" >"$path"
	chmod 755 "$path"
	config --arg kind "$1" --arg path "$path" --argjson more "${3:-{\}}" '.hooks[$kind] += [{"path": $path} + $more]'
}
# One that runs inside the container.
inner_hook() { # KIND SCRIPT [JQ-OBJECT]
	local n
	n=$(jq "[.hooks[]?[]?] | length" "$bundle/config.json")
	printf '#!/bin/sh\n%s\n' "$2" >"$bundle/rootfs/bin/hook$n"
	chmod 755 "$bundle/rootfs/bin/hook$n"
	config --arg kind "$1" --arg path "/bin/hook$n" --argjson more "${3:-{\}}" '.hooks[$kind] += [{"path": $path} + $more]'
}

@test "all six kinds run, in order, each several times" {
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook $kind "echo $kind 1 >>$trace"
		hook $kind "echo $kind 2 >>$trace"
	done
	config --arg t "$BATS_TEST_TMPDIR" '.mounts += [{"destination": "/trace", "source": $t, "options": ["bind"]}]'
	inner_hook startContainer 'echo startContainer 1 >>/trace/trace'
	inner_hook startContainer 'echo startContainer 2 >>/trace/trace'
	args sh -c 'echo program >>/trace/trace; sleep 0.3'
	create
	is "prestart 1,prestart 2,createRuntime 1,createRuntime 2,createContainer 1,createContainer 2" "$(paste -sd, "$trace")"
	skiff start "$id"
	eventually status_is stopped
	skiff delete "$id"
	is "startContainer 1,startContainer 2" "$(sed -n 7,8p "$trace" | paste -sd,)"
	is "poststart 1,poststart 2,program" "$(sed -n 9,11p "$trace" | sort | paste -sd,)"
	is "poststop 1,poststop 2" "$(sed -n 12,13p "$trace" | paste -sd,)"
	is 13 "$(wc -l <"$trace")"
}

@test "each gets the state on its standard input" {
	config '.annotations = {"with/slash": "a/b"}'
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook $kind "cat >$BATS_TEST_TMPDIR/$kind.json"
	done
	config --arg t "$BATS_TEST_TMPDIR" '.mounts += [{"destination": "/trace", "source": $t, "options": ["bind"]}]'
	inner_hook startContainer 'cat >/trace/startContainer.json'
	launch
	skiff kill "$id" KILL
	eventually status_is stopped
	skiff delete "$id"
	for kind in prestart:creating createRuntime:creating createContainer:creating startContainer:created poststart:running poststop:stopped; do
		jq -e --arg id "$id" --arg bundle "$bundle" --arg status "${kind#*:}" '.ociVersion == "1.3.0" and .id == $id and
			.bundle == $bundle and .status == $status and .annotations == {"with/slash": "a/b"} and
			(.pid > 0) == ($status != "stopped")' "$BATS_TEST_TMPDIR/${kind%:*}.json" || { echo "$kind"; false; }
		run -0 cat "$BATS_TEST_TMPDIR/${kind%:*}.json"
		says "a/b"
	done
}

@test "the pid that hooks see is the host's" {
	hook createRuntime "jq .pid >$trace"
	create
	is "$(pid_of)" "$(<"$trace")"
}

@test "the environment is exactly as given: none of skiff's, and empty when there is none" {
	SECRET=1
	export SECRET
	hook prestart "cat /proc/self/environ | tr '\\0' '\\n' | grep -v -e ^PWD= -e ^SHLVL= -e ^_= >$trace.none; true"
	config --arg t "$trace" '.hooks.createRuntime = [{"path": "/usr/bin/env", "args": ["env", "-0"], "env": ["A=1", "B=two words"]}]'
	config '.annotations = {"run.oci.hooks.stdout": "'"$trace"'"}'
	inside true
	is "" "$(<"$trace.none")"
	is "A=1,B=two words," "$(tr '\0' ',' <"$trace")"
}

@test "hooks of the host begin in /, without a descriptor of skiff's" {
	hook createRuntime "pwd >$trace; ls -l /proc/self/fd | awk 'NR > 1 { print \$9 }' | paste -sd' ' >>$trace"
	exec 7</etc/passwd
	inside true
	exec 7<&-
	is / "$(head -1 "$trace")"
	# ls has its own for the folder
	is "0 1 2 3" "$(tail -1 "$trace")"
}

@test "args are exactly as given, with the name in front" {
	printf '#!/bin/bash\nprintf "<%%s>" "$@" >%s\n' "$trace" >"$BATS_TEST_TMPDIR/h"
	chmod 755 "$BATS_TEST_TMPDIR/h"
	config --arg p "$BATS_TEST_TMPDIR/h" '.hooks.prestart = [{"path": $p, "args": ["name", "a b", "", "c"]}]'
	inside true
	is "<a b><><c>" "$(<"$trace")"
}

@test "createRuntime is in the host's namespaces, createContainer in the container's, before the root changes" {
	for kind in prestart createRuntime createContainer poststart; do
		hook $kind "echo $kind \$(readlink /proc/self/ns/net) \$(readlink /proc/self/ns/mnt) \$(readlink /proc/self/ns/pid) >>$trace; test -e /work -o -e /usr"
	done
	launch
	pid=$(pid_of)
	host="$(readlink /proc/self/ns/net) $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/pid)"
	guest="$(readlink "/proc/$pid/ns/net") $(readlink "/proc/$pid/ns/mnt") $(readlink "/proc/$pid/ns/pid")"
	is "$host" "$(grep '^prestart' "$trace" | cut -d' ' -f2-)"
	is "$host" "$(grep '^createRuntime' "$trace" | cut -d' ' -f2-)"
	is "$guest" "$(grep '^createContainer' "$trace" | cut -d' ' -f2-)"
	is "$host" "$(grep '^poststart' "$trace" | cut -d' ' -f2-)"
}

@test "createRuntime finds the container's namespaces by its pid and the mounts made" {
	hook createRuntime "pid=\$(jq .pid); nsenter -t \$pid -n ls /sys/class/net >/dev/null; nsenter -t \$pid -m cat /proc/self/mountinfo >$trace"
	inside true
	says "$bundle/rootfs/dev/pts" "$(<"$trace")"
}

@test "what createContainer mounts in the root is there for the program" {
	hook createContainer "mount -t tmpfs tmpfs $bundle/rootfs/tmp && touch $bundle/rootfs/tmp/made"
	inside 'ls /tmp'
	is made
	is "" "$(ls "$bundle/rootfs/tmp")"
}

@test "startContainer runs inside, at start, before the program" {
	inner_hook startContainer 'ls / >/tmp/seen; cat /proc/self/comm >>/tmp/seen'
	args cat /tmp/seen
	create
	[[ ! -e $bundle/rootfs/tmp/seen ]]
	skiff start "$id"
	eventually holds "$log" bin
	run -1 grep usr "$log"
}

@test "a hook that fails before the program stops everything and says which it was" {
	for kind in prestart createRuntime createContainer; do
		config 'del(.hooks)'
		hook $kind 'exit 0'
		hook $kind 'echo of the hook >&2; exit 7'
		run -1 skiff create -b "$bundle" "$id"
		says ".hooks.$kind[1]"
		says "exit status 7"
		says "of the hook"
		nothing_left
	done
}

@test "a startContainer hook that fails makes start fail, and the program never runs" {
	inner_hook startContainer 'exit 7'
	args sh -c 'echo ran'
	create
	run -1 skiff start "$id"
	one_line
	says ".hooks.startContainer[0]"
	eventually status_is stopped
	is "" "$(<"$log")"
	skiff delete "$id"
	nothing_left
	run -1 skiff run -b "$bundle" "$id"
	nothing_left
}

@test "a poststart hook that fails ends the container with an error" {
	hook poststart 'exit 7'
	create
	pid=$(pid_of)
	run -1 skiff start "$id"
	one_line
	says ".hooks.poststart[0]"
	eventually gone "$pid"
	skiff delete --force "$id"
	nothing_left
	run -1 skiff run -d -b "$bundle" "$id"
	says ".hooks.poststart[0]"
	nothing_left
}

@test "a poststop hook that fails is a warning, the others run and the container goes" {
	hook poststop 'exit 7'
	hook poststop "echo ran >$trace"
	create
	run -0 skiff --log-level warning delete --force "$id"
	says "warning"
	says ".hooks.poststop[0]"
	is ran "$(<"$trace")"
	nothing_left
}

@test "poststop hooks run at the end of a foreground run, also when it fails late" {
	hook poststop "echo ran >>$trace"
	inside true
	is ran "$(<"$trace")"
	inner_hook startContainer 'exit 1'
	run -1 skiff run -b "$bundle" "$id"
	is 2 "$(wc -l <"$trace")"
	config 'del(.hooks.startContainer)'
	hook createRuntime 'exit 1'
	run -1 skiff create -b "$bundle" "$id"
	is 3 "$(wc -l <"$trace")"
}

@test "a hook that takes longer than its timeout is killed" {
	hook prestart 'exec sleep 1000' '{"timeout": 1}'
	run -1 skiff create -b "$bundle" "$id"
	one_line
	says "took longer than 1 s"
	nothing_left
}

@test "a hook that does not read its input is fine" {
	hook createRuntime 'exec 0<&-; exit 0'
	config '.annotations.big = "x" * 100000'
	inside 'echo fine'
	is fine
}

@test "a hook that cannot be run is named" {
	config '.hooks.prestart = [{"path": "/no/such/hook"}]'
	run -1 skiff create -b "$bundle" "$id"
	says "/no/such/hook"
	nothing_left
	config '.hooks.prestart = [{"path": "/etc/passwd"}]'
	run -1 skiff create -b "$bundle" "$id"
	says "/etc/passwd"
	nothing_left
}

@test "a hook that dies of a signal is told" {
	hook createRuntime 'kill -9 $$'
	run -1 skiff create -b "$bundle" "$id"
	says "killed by signal 9"
}

@test "annotations send the output of hooks to files" {
	hook createRuntime 'echo out; echo err >&2'
	hook poststop 'echo later'
	config --arg t "$BATS_TEST_TMPDIR" '.annotations = {"run.oci.hooks.stdout": ($t + "/out"), "run.oci.hooks.stderr": ($t + "/err")}'
	inside true
	is "" "$output"
	is out,later "$(paste -sd, "$BATS_TEST_TMPDIR/out")"
	is err "$(<"$BATS_TEST_TMPDIR/err")"
}

@test "the output of hooks does not mix with the program's" {
	hook createRuntime 'echo noise'
	inside 'echo program'
	is program
}
