#!/usr/bin/env bats
# skiff's own networks reach into sandboxes.
load net_helpers

setup_file() { fetch_kernel; }
setup() {
	begin_net
	export SKIFF_SANDBOX=${SKIFF_SANDBOX:-qemu}
}

answers() { # ADDRESS PORT
	[[ $(in_host busybox nc -w 2 "$1" "$2" <<<hello) == hello ]]
}

@test "a bridge leads into the guest: published ports, and names both ways" {
	args sh -c 'while :; do nc -l -p 80 -e /bin/cat; done'
	up web --net bridge -p 8080:80 --hostname web
	eventually answers 127.0.0.1 8080
	run skiff exec "$id.web" cat /etc/hosts /etc/hostname
	says "web"
	args sh -c 'echo again | nc -w 5 web 80'
	run -0 skiff run --sandbox none --net bridge -b "$bundle" "$id.peer"
	is again
	down web
}
