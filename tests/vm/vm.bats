# The test machine itself: what it promises inside, and what its user sees of it.
# One boot takes some seconds, so each test asks as much as it can of its machine.

run_vm() {
	"$BATS_TEST_DIRNAME/run" "$@" 3>&-
}

script() { # writes a script from standard input
	cat >"$BATS_TEST_TMPDIR/script"
}

leftovers() {
	find "$BATS_TEST_DIRNAME/../../build/vm" -maxdepth 1 -name 'run.*' -o -maxdepth 1 -name 'out.*'
}

@test "the machine keeps its promises" {
	run run_vm "$BATS_TEST_DIRNAME/selftest"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "arguments, folder, variables and files go in; output, files and status come out" {
	script <<-'END'
		printf '<%s>' "$@"
		echo " in $PWD, SEEN=$SEEN UNSEEN=$UNSEEN"
		echo "to stderr" >/dev/stderr
		echo kept >"$VM_OUT/file"
		echo "alive" # words of the machine's own language mean nothing here
		echo "exit 0"
		sleep 1000 &
		exit 42
	END
	export SEEN="it's here" UNSEEN=secret VM_ENV="SEEN NOT_SET" VM_OUT=$BATS_TEST_TMPDIR/out
	mkdir "$VM_OUT"
	cd "$BATS_TEST_TMPDIR"
	# shellcheck disable=SC2016
	run run_vm ./script "a b" '$c' ''
	echo "$output"
	[ "$status" -eq 42 ]
	[ "${lines[0]}" = "<a b><\$c><> in $BATS_TEST_TMPDIR, SEEN=it's here UNSEEN=" ]
	[ "${lines[1]}" = "to stderr" ]
	[ "${lines[3]}" = "exit 0" ]
	[ "$(cat "$VM_OUT/file")" = kept ]
	[ -z "$(leftovers)" ]
}

@test "a script that does not end is ended" {
	script <<<'echo begun; sleep 1000'
	VM_TIMEOUT=2 run run_vm "$BATS_TEST_TMPDIR/script"
	echo "$output"
	[ "$status" -eq 124 ]
	[ "${lines[0]}" = begun ]
	[[ $output == *"did not end within 2 seconds"* ]]
	[ -z "$(leftovers)" ]
}

@test "a machine that does not come up is given up" {
	script <<<'true'
	VM_BOOT_TIMEOUT=1 run run_vm "$BATS_TEST_TMPDIR/script"
	echo "$output"
	[ "$status" -eq 125 ]
	[[ $output == *"no sign of life within 1 seconds"* ]]
}

@test "a kernel panic is reported with the end of the console" {
	script <<<'echo before; echo c >/proc/sysrq-trigger; sleep 100'
	run run_vm "$BATS_TEST_TMPDIR/script"
	echo "$output"
	[ "$status" -eq 125 ]
	[ "${lines[0]}" = before ]
	[[ $output == *"sysrq_handle_crash"*"kernel panicked"* ]]
	[ -z "$(leftovers)" ]
}

@test "SIGTERM and SIGKILL take the whole machine along" {
	script <<<'echo begun; sleep 1000'
	for signal in TERM KILL; do
		"$BATS_TEST_DIRNAME/run" "$BATS_TEST_TMPDIR/script" >"$BATS_TEST_TMPDIR/output" 2>&1 3>&- &
		machine=$!
		until grep -q begun "$BATS_TEST_TMPDIR/output"; do
			kill -0 $machine
			sleep 0.1
		done
		mapfile -t started < <(pgrep -P $machine)
		[ "${#started[@]}" -ge 3 ]
		kill -$signal $machine
		wait $machine || true
		sleep 0.5
		# nobody may reap here, so a zombie counts as gone
		for process in "${started[@]}"; do
			[ ! -e "/proc/$process" ] || grep -q '^State:.Z' "/proc/$process/status"
		done
	done
	# the next run removes the folder of the killed one
	script <<<'true'
	run_vm "$BATS_TEST_TMPDIR/script"
	[ -z "$(leftovers)" ]
}

@test "mistakes are told before anything is started" {
	run run_vm /no/such/script
	[ "$status" -eq 125 ]
	[ "$output" = "vm: no such script: /no/such/script" ]
	VM_OUT=/no/such/folder run run_vm /bin/true
	[ "$status" -eq 125 ]
	[ "$output" = "vm: VM_OUT is not a folder: /no/such/folder" ]
}
