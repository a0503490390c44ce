# Networks of ordinary users: pasta or slirp4netns, one for each container, gone with it.
load net_helpers

setup() {
	begin_net
	in_host ip route add default via 192.0.2.2
	mkdir -m 755 "$BATS_TEST_TMPDIR/user"
	mkdir -m 700 "$BATS_TEST_TMPDIR/user/states"
	cp -a "$bundle" "$BATS_TEST_TMPDIR/user/bundle"
	bundle=$BATS_TEST_TMPDIR/user/bundle root=$BATS_TEST_TMPDIR/user/states
	chown -R 65534:65534 "$BATS_TEST_TMPDIR/user"
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	# where /dev/net/tun is everybody's, as on an ordinary machine
	mknod -m 666 "$BATS_TEST_TMPDIR/tun" c 10 200
	path=$PATH
}

skiff() { # in a mount namespace of its own: the device's mount is nobody else's
	# shellcheck disable=SC2016
	in_host unshare -m sh -c 'mount --bind "$1" /dev/net/tun; shift; exec "$@"' _ "$BATS_TEST_TMPDIR/tun" \
		timeout -k 2 "${LIMIT:-30}" setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH="$path" \
		"$SKIFF" --root "$root" "$@" 3>&- 4>&-
}

works_with() { # PROGRAM
	up a --net "$1" -p 8080:80 -p 5353:53/udp --hostname inner
	run -0 skiff exec "$id.a" sh -c 'ls /sys/class/net; hostname; cat /etc/resolv.conf'
	says eth0
	says inner
	says "nameserver $2"
	serve_outside world tcp 7
	says "world 192.0.2.1" "$(ask a tcp 192.0.2.2 7)"
	serve a tcp 80
	says "a " "$(ask host tcp 127.0.0.1 8080)"
	pgrep -f "^$1 .*ns/net" -u 65534
	down a
	eventually no_carrier
	no_answer host tcp 127.0.0.1 8080
}
no_carrier() {
	! pgrep -u 65534 -f "slirp4netns|pasta .*--netns" && ! pgrep -f "skiff-net --root $root"
}

@test "slirp4netns: out, in through a published port, names, and gone with the container" {
	works_with slirp4netns 10.0.2.3
}

@test "pasta: the same" {
	works_with pasta 169.254.1.1
}

@test "--net bridge of an ordinary user is whichever of the two there is" {
	up a --net bridge
	run -0 skiff exec "$id.a" ls /sys/class/net
	is $'eth0\nlo'
	run -1 skiff run -b "$bundle" --net bridge:mine "$id.b"
	one_line
	says "bridges need root"
}

@test "without either of them it is said what to install" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	path=$BATS_TEST_TMPDIR/bin
	for net in bridge pasta slirp4netns; do
		run -1 skiff run -b "$bundle" --net $net "$id"
		one_line
		says "needs pasta (package passt) or slirp4netns, and neither is installed"
	done
}

@test "a port that cannot be had is one clear line, and nothing is left" {
	serve_outside host tcp 7070
	for net in slirp4netns pasta; do
		run -1 skiff run -d -b "$bundle" --net $net -p 7070:80 "$id.$net"
		one_line
		says "$net"
		is "" "$(skiff list -q)"
		eventually no_carrier
	done
	run -1 skiff run -d -b "$bundle" --net slirp4netns --ip 10.0.0.1 "$id.b"
	one_line
	says "need a bridge"
}

@test "the carrier ends when the container is killed, and when its watcher is" {
	up a --net slirp4netns
	kill -KILL "$(pid_of "$id.a")"
	eventually no_carrier
	down a
	up a --net slirp4netns
	pkill -KILL -f "skiff-net --root $root user $id.a "
	eventually no_carrier
	status_is running "$id.a"
}

@test "the container in the foreground: its exit code, and nothing is left" {
	args sh -c 'ls /sys/class/net; exit 7'
	chown 65534:65534 "$bundle/config.json"
	run -7 skiff run -b "$bundle" --net slirp4netns "$id"
	says eth0
	eventually no_carrier
}
