# Terminals: the console socket of supervisors, and run -t as a person at a shell has it.
load helpers

setup() {
	begin
	config '.process.terminal = true'
}

# Runs skiff on a terminal; standard input is the script.
on_terminal() { # [-s RxC] WORD...
	local size=()
	[[ $1 != -s ]] || { size=(-s "$2"); shift 2; }
	run -0 timeout -k 2 "${LIMIT:-40}" "$tools/terminal" "${size[@]}" "$SKIFF" --root "$root" "$@" 3>&- 4>&-
}
receiver() { # [TEXT...]
	"$tools/receive" "$BATS_TEST_TMPDIR/console" terminal "$@" >"$log.tty" 2>&1 3>&- &
	eventually test -S "$BATS_TEST_TMPDIR/console"
}

@test "the console socket gets the terminal's master end, and the program the other" {
	args sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo a terminal; ls -l /proc/self/fd/0; stat -c "%t %T" /dev/console'
	receiver
	create --console-socket "$BATS_TEST_TMPDIR/console"
	skiff start "$id"
	eventually status_is stopped
	wait
	says "/dev/console 1" "$(head -1 "$log.tty")"
	says "/dev/pts/0" "$(<"$log.tty")"
	says "a terminal" "$(<"$log.tty")"
	says "88 0" "$(<"$log.tty")"
	is "" "$(<"$log")"
}

@test "what is typed at the master reaches the program, ^C too" {
	args sh -c 'trap "echo interrupted; exit 3" INT; read word; echo "got $word"; while :; do sleep 0.05; done'
	receiver 'hello\n'
	launch --console-socket "$BATS_TEST_TMPDIR/console"
	eventually holds "$log.tty" "got hello"
	skiff kill "$id" INT
	eventually status_is stopped
	says interrupted "$(<"$log.tty")"
}

@test "the terminal has the size that the configuration asks for" {
	config '.process.consoleSize = {"height": 33, "width": 99}'
	args stty size
	receiver
	launch --console-socket "$BATS_TEST_TMPDIR/console"
	wait
	says "33 99" "$(<"$log.tty")"
}

@test "it is the program's controlling terminal in a session of its own" {
	args sh -c 'cut -d" " -f1,5,6,7 /proc/self/stat; : </dev/tty && echo controls'
	receiver
	launch --console-socket "$BATS_TEST_TMPDIR/console"
	wait
	says controls "$(<"$log.tty")"
}

@test "the terminal belongs to the program's user" {
	config '.process.user = {"uid": 1000, "gid": 1000}'
	args sh -c 'stat -c "%u" /dev/pts/0; echo written >/dev/tty'
	receiver
	launch --console-socket "$BATS_TEST_TMPDIR/console"
	wait
	says 1000 "$(<"$log.tty")"
	says written "$(<"$log.tty")"
}

@test "a terminal works in a user namespace" {
	users 100000
	args sh -c 'tty; echo written >/dev/console'
	receiver
	launch --console-socket "$BATS_TEST_TMPDIR/console"
	wait
	says /dev/pts/0 "$(<"$log.tty")"
	says written "$(<"$log.tty")"
}

@test "a terminal without a console socket is an error of create and run -d" {
	run -1 skiff create -b "$bundle" "$id"
	one_line
	says "--console-socket"
	run -1 skiff run -d -b "$bundle" "$id"
	says "--console-socket"
	nothing_left
}

@test "a console socket without a terminal is an error" {
	config '.process.terminal = false'
	run -1 skiff create --console-socket /x -b "$bundle" "$id"
	one_line
	says ".process.terminal"
	nothing_left
}

@test "a console socket that nobody listens at is an error and leaves nothing" {
	run -1 skiff create --console-socket /no/such -b "$bundle" "$id"
	one_line
	says "/no/such"
	nothing_left
}

@test "a container without devpts cannot have a terminal and says so" {
	config '.mounts |= map(select(.destination != "/dev/pts"))'
	receiver
	run -1 skiff create --console-socket "$BATS_TEST_TMPDIR/console" -b "$bundle" "$id"
	one_line
	says "/dev/pts"
	nothing_left
}

@test "run on a terminal: the program has one, and its status comes back" {
	args sh -c 'test -t 0 && echo a terminal; tty; exit 5'
	on_terminal run -b "$bundle" "$id" <<<end
	says "a terminal"
	says "/dev/pts/0"
	says "status 5 cooked"
	nothing_left
}

@test "run on a terminal: raw while it runs, as it was before afterwards" {
	args sh -c 'echo ready; read x; echo bye'
	on_terminal run -b "$bundle" "$id" <<-'END'
		expect ready
		mode
		send x\n
		expect bye
		end
	END
	says "mode raw"
	says "status 0 cooked"
}

@test "run on a terminal: line editing and echo are the container's" {
	args sh -c 'echo ready; read word; echo "<$word>"'
	on_terminal run -b "$bundle" "$id" <<-'END'
		expect ready
		send helxx\x7f\x7flo\n
		expect <hello>
	END
	says "status 0"
}

@test "run on a terminal: ^C interrupts the program, not skiff" {
	args sh -c 'trap "echo interrupted; exit 9" INT; echo ready; while :; do sleep 0.05; done'
	on_terminal run -b "$bundle" "$id" <<-'END'
		expect ready
		send \x03
		expect interrupted
	END
	says "status 9 cooked"
	args sh -c 'echo ready; exec sleep 1000'
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	on_terminal run -b "$bundle" "$id" <<-'END'
		expect ready
		send \x03
	END
	says "status 130 cooked"
	nothing_left
}

@test "run on a terminal: ^D ends the program's input" {
	args sh -c 'echo ready; cat >/dev/null; echo over'
	on_terminal run -b "$bundle" "$id" <<-'END'
		expect ready
		send \x04
		expect over
	END
	says "status 0"
}

@test "run on a terminal: the window's size is taken over and followed" {
	args sh -c 'stty size; trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done'
	on_terminal -s 31x77 run -b "$bundle" "$id" <<-'END'
		expect 31 77
		expect ready
		size 40 100
		expect 40 100
	END
	says "status 0"
}

@test "run on a terminal: signals to skiff reach the program" {
	args sh -c 'trap "echo told; exit 4" TERM; echo ready; while :; do sleep 0.05; done'
	on_terminal run -b "$bundle" "$id" <<-'END'
		expect ready
		signal TERM
		expect told
	END
	says "status 4 cooked"
}

@test "run on a terminal: a program that is killed gives 137 and the terminal back" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'echo ready; kill -KILL $$'
	on_terminal run -b "$bundle" "$id" <<<end
	says "status 137 cooked"
}

@test "run on a terminal: a program that cannot be started leaves the terminal as it was" {
	args nonsense
	on_terminal run -b "$bundle" "$id" <<<end
	says "executable file not found"
	says "status 127 cooked"
}

@test "run on a terminal: much output comes whole" {
	args sh -c 'seq 1 20000; echo over'
	on_terminal run -b "$bundle" "$id" <<<end
	says $'\n19999\n20000\nover'
	is 20001 "$(grep -cE '^([0-9]+|over)$' <<<"$output")"
}

@test "run with a terminal and no terminal here: output comes, input that ends is ^D" {
	args sh -c 'echo shown; cat; echo over'
	run -0 skiff run -b "$bundle" "$id" <<<"a line"
	says shown
	says "a line"
	says over
}

@test "exec --tty gives the command a terminal" {
	config '.process.terminal = false'
	args sleep 1000
	launch
	on_terminal exec -t "$id" sh -c 'tty; stty size; exit 6' <<<end
	says /dev/pts/
	says "24 80"
	says "status 6 cooked"
	run -1 in_container test -t 0
}

@test "exec --tty: raw mode, ^C, a new size" {
	config '.process.terminal = false'
	args sleep 1000
	launch
	on_terminal exec --tty "$id" sh -c 'trap "echo interrupted; exit 9" INT; trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done' <<-'END'
		expect ready
		mode
		size 50 120
		expect 50 120
		send \x03
		expect interrupted
	END
	says "mode raw"
	says "status 9 cooked"
}

@test "exec --tty --detach needs a console socket, and gives it the terminal" {
	config '.process.terminal = false'
	args sleep 1000
	launch
	run -255 skiff exec -t -d "$id" true
	one_line
	says "--console-socket"
	receiver
	skiff exec -t -d --console-socket "$BATS_TEST_TMPDIR/console" "$id" sh -c 'tty; echo over' >"$log" 2>&1
	wait
	says /dev/pts "$(<"$log.tty")"
	says over "$(<"$log.tty")"
}

@test "exec --process with a terminal takes its size" {
	config '.process.terminal = false'
	args sleep 1000
	launch
	receiver
	skiff exec -d --console-socket "$BATS_TEST_TMPDIR/console" -p - "$id" >"$log" 2>&1 \
		<<<'{"terminal": true, "consoleSize": {"height": 12, "width": 34}, "cwd": "/", "args": ["/bin/stty", "size"]}'
	wait
	says "12 34" "$(<"$log.tty")"
}
