# Networks of one's own: bridges, addresses, names, and what keeps them apart.
load net_helpers

@test "a container has an address, a way out and a name" {
	up a --net bridge
	run -0 in_net_of "$id.a" ip -o -4 address show eth0
	says "inet $(address a)/22"
	run -0 in_net_of "$id.a" ip route
	says "default via 10.90.0.1 dev eth0"
	run -0 skiff exec "$id.a" cat /etc/hostname
	is skiff
	is "$(address a)" "$(lookup a "$id.a")"
	is 127.0.0.1 "$(lookup a localhost)"
	run -0 in_net_of "$id.a" busybox ping -c 1 -W 2 192.0.2.2
}

@test "nothing of it is on the host when the last container is gone" {
	up a --net bridge -p 8080:80
	up b --net bridge
	down a
	run -0 in_host ip -o link
	says skiff0
	down b
	nothing_left_net
}

@test "run in the foreground takes it all back at the end" {
	args true
	skiff run --net bridge -p 8080:80 -b "$bundle" "$id"
	nothing_left_net
}

@test "create and start, too" {
	create --net bridge
	run -0 in_net_of "$id" ip -o -4 address show eth0
	says "inet 10.90.0."
	skiff start "$id"
	status_is running
	skiff delete -f "$id"
	nothing_left_net
}

@test "two containers reach each other by address and by name, whoever came first" {
	up a --net bridge --hostname alpha
	up b --net bridge --hostname beta
	serve a tcp 80
	serve b tcp 80
	says "b " "$(ask a tcp "$(address b)" 80)"
	says "a " "$(ask b tcp "$(address a)" 80)"
	for name in "$id.b" beta; do is "$(address b)" "$(lookup a "$name")"; done
	for name in "$id.a" alpha; do is "$(address a)" "$(lookup b "$name")"; done
	run -0 skiff exec "$id.a" sh -c "nc beta 80 </dev/null"
	says "b $(address a)"
	down b
	is "" "$(lookup a beta)"
}

@test "what a container wrote into its own /etc/hosts stays when others come and go" {
	up a --net bridge
	skiff exec "$id.a" sh -c 'echo "192.0.2.77 mine" >>/etc/hosts'
	up b --net bridge --hostname beta
	is 192.0.2.77 "$(lookup a mine)"
	is "$(address b)" "$(lookup a beta)"
	down b
	is 192.0.2.77 "$(lookup a mine)"
	is "" "$(lookup a beta)"
}

@test "containers of two networks do not reach each other" {
	skiff net create "one"
	skiff net create "two"
	up a --net bridge:one
	up b --net bridge:two
	serve b tcp 80
	serve b udp 53
	says "b " "$(ask host tcp "$(address b ip two)" 80)"
	no_answer a tcp "$(address b ip two)" 80
	no_answer a udp "$(address b ip two)" 53
	run ! in_net_of "$id.a" busybox ping -c 1 -W 1 "$(address b ip two)"
	is "" "$(lookup a "$id.b")"
}

@test "the world does not reach a port that is not published, even with a route" {
	up a --net bridge
	serve a tcp 80
	in_world ip route add 10.90.0.0/22 via 192.0.2.1
	no_answer world tcp "$(address a)" 80
}

@test "the world sees the host's address, the host the container's" {
	up a --net bridge
	serve_outside world tcp 7
	serve_outside host tcp 7
	says "world 192.0.2.1" "$(ask a tcp 192.0.2.2 7)"
	says "host $(address a)" "$(ask a tcp 10.90.0.1 7)"
}

@test "--ip and --mac give what was asked for, and nobody gets it twice" {
	skiff net create --subnet 10.5.0.0/24 --gateway 10.5.0.254 "n"
	up a --net "bridge:n" --ip 10.5.0.77 --mac 02:00:00:aa:bb:cc
	run -0 in_net_of "$id.a" ip -o address show eth0
	says "inet 10.5.0.77/24"
	run -0 in_net_of "$id.a" ip -o link show eth0
	says 02:00:00:aa:bb:cc
	run -1 skiff run -d -b "$bundle" --net "bridge:n" --ip 10.5.0.77 "$id.b"
	one_line
	says "container '$id.a' has that address"
	run -1 skiff run -d -b "$bundle" --net "bridge:n" --ip 10.5.0.254 "$id.b"
	says gateway
	run -1 skiff run -d -b "$bundle" --net "bridge:n" --ip 10.6.0.1 "$id.b"
	one_line
	says "not in network 'n' (10.5.0.0/24)"
	run -1 skiff run -d -b "$bundle" --net "bridge:n" --mac 01:00:00:00:00:00 "$id.b"
	one_line
	says --mac
	is "$id.a" "$(skiff list -q)"
}

@test "IPv6: addresses, routes, names, and the way out" {
	skiff net create --subnet fd00:1::/64 --subnet 10.7.0.0/24 "six"
	up a --net "bridge:six"
	up b --net "bridge:six" --ip fd00:1::99
	is fd00:1::99 "$(address b ip6 six)"
	is 10.7.0.153 "$(address b ip six)" # one number gives both
	serve b tcp 80
	says "b $(address a ip6 six)" "$(ask a tcp fd00:1::99 80)"
	is fd00:1::99 "$(skiff exec "$id.a" awk '/fd00:1::99/ { print $1 }' /etc/hosts)"
	serve_outside world tcp 7
	says "world 2001:db8::1" "$(ask a tcp 2001:db8::2 7)"
}

@test "a network of IPv6 alone" {
	skiff net create --subnet fd00:2::/64 "only"
	up a --net "bridge:only"
	up b --net "bridge:only"
	serve b udp 53
	says "b " "$(ask a udp "$(address b ip6 only)" 53)"
	run -0 in_net_of "$id.a" ip -o -4 address show eth0
	is ""
}

@test "--mtu is that of every device on the way" {
	skiff net create --mtu 9000 "jumbo"
	up a --net "bridge:jumbo"
	is 9000 "$(in_net_of "$id.a" ip -j link show eth0 | jq .[0].mtu)"
	is 9000 "$(in_host ip -j link show skiff0 | jq .[0].mtu)"
	up b --net "bridge:jumbo"
	run -0 in_net_of "$id.a" busybox busybox ping -c 1 -W 2 -s 8000 "$(address b ip jumbo)"
}

@test "--dns, --add-host, --hostname" {
	up a --net bridge --dns 192.0.2.53 --dns 2001:db8::53 --add-host printer:192.0.2.9 --add-host up:host-gateway --hostname box
	run -0 skiff exec "$id.a" cat /etc/resolv.conf
	is $'nameserver 192.0.2.53\nnameserver 2001:db8::53'
	is 192.0.2.9 "$(lookup a printer)"
	is 10.90.0.1 "$(lookup a up)"
	run -0 skiff exec "$id.a" sh -c 'hostname; cat /etc/hostname'
	is $'box\nbox'
	for bad in "--dns nobody" "--add-host x" "--add-host x:1.2.3" "--add-host a/b:192.0.2.1"; do
		# shellcheck disable=SC2086
		run -1 skiff run --net bridge $bad -b "$bundle" "$id.b"
		one_line
		says "${bad%% *}: '${bad#* }' is not"
	done
}

@test "/etc/resolv.conf that is a link to nowhere, as in many images, and one that leads out" {
	rm -f "$bundle/rootfs/etc/resolv.conf"
	ln -s ../run/resolver/resolv.conf "$bundle/rootfs/etc/resolv.conf"
	ln -s "$BATS_TEST_TMPDIR/outside" "$bundle/rootfs/etc/hostname"
	up a --net bridge --dns 192.0.2.53
	run -0 skiff exec "$id.a" cat /etc/resolv.conf
	is "nameserver 192.0.2.53"
	run -0 skiff exec "$id.a" cat /etc/hostname
	[[ ! -e $BATS_TEST_TMPDIR/outside ]]
}

@test "files of /etc that config.json mounts itself are left alone" {
	echo "192.0.2.5 own" >"$BATS_TEST_TMPDIR/own"
	config --arg f "$BATS_TEST_TMPDIR/own" '.mounts += [{"destination": "/etc/hosts", "source": $f, "options": ["bind", "ro"]}]'
	up a --net bridge
	run -0 skiff exec "$id.a" cat /etc/hosts
	is "192.0.2.5 own"
}

@test "in a user namespace the network is the same, and its root may write /etc/hosts" {
	users 100000
	up a --net bridge
	run -0 in_net_of "$id.a" busybox ping -c 1 -W 2 192.0.2.2
	skiff exec "$id.a" sh -c 'echo "192.0.2.77 mine" >>/etc/hosts'
	is 192.0.2.77 "$(lookup a mine)"
}

@test "--net container:ID shares network, names and name servers" {
	up a --net bridge --dns 192.0.2.53
	up b --net "container:$id.a"
	is "$(readlink "/proc/$(pid_of "$id.a")/ns/net")" "$(readlink "/proc/$(pid_of "$id.b")/ns/net")"
	run -0 skiff exec "$id.b" cat /etc/resolv.conf
	is "nameserver 192.0.2.53"
	is "$(address a)" "$(lookup b "$id.a")"
	run -1 skiff run -b "$bundle" --net "container:nobody" "$id.c"
	one_line
	says "container 'nobody' does not exist"
	skiff kill "$id.a" KILL
	eventually status_is stopped "$id.a"
	run -1 skiff run -b "$bundle" --net "container:$id.a" "$id.c"
	one_line
	says "is not running"
}

@test "--net ns:PATH, host and none" {
	up a --net "ns:/proc/$world/ns/net"
	is "$(readlink "/proc/$world/ns/net")" "$(readlink "/proc/$(pid_of "$id.a")/ns/net")"
	up b --net host
	is "$(in_host readlink /proc/self/ns/net)" "$(readlink "/proc/$(pid_of "$id.b")/ns/net")"
	up c --net none
	run -0 skiff exec "$id.c" ls /sys/class/net
	is lo
	run -0 skiff exec "$id.c" cat /etc/hosts
	says localhost
	run -1 skiff run -b "$bundle" --net "ns:/etc/passwd" "$id.d"
	one_line
	says "is not a network namespace"
}

@test "what --net cannot be, and options that need a bridge, are clear errors" {
	for bad in nonsense bridge:nosuch none:x host:y container: ns: ns:relative bridge:../x; do
		run -1 skiff run -b "$bundle" --net "$bad" "$id"
		one_line
	done
	for option in "-p 80:80" "--ip 10.0.0.1" "--mac 02:00:00:00:00:01"; do
		# shellcheck disable=SC2086
		run -1 skiff run -b "$bundle" --net host $option "$id"
		one_line
		says "--publish, --ip and --mac are for --net bridge"
	done
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	run -1 skiff run -b "$bundle" --net host "$id"
	one_line
	says "needs a network namespace"
	is "" "$(skiff list -q)"
	nothing_left_net
}

@test "network sysctls of config.json are set inside" {
	config '.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "1", "net.core.somaxconn": "77"}'
	up a --net bridge
	run -0 skiff exec "$id.a" cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/core/somaxconn
	is $'1\n77'
}

@test "router advertisements of a container change neither the host nor its neighbours" {
	skiff net create --ipv6 "six"
	up a --net "bridge:six"
	is 0 "$(in_host cat /proc/sys/net/ipv6/conf/skiff0/accept_ra)"
	is 0 "$(in_net_of "$id.a" cat /proc/sys/net/ipv6/conf/eth0/accept_ra)"
}

@test "a bundle that asks for none of it starts no other program" {
	args true
	run -0 strace -f -qq -e trace=execve -o "$BATS_TEST_TMPDIR/trace" timeout -k 1 20 "$SKIFF" --root "$root" run -b "$bundle" "$id"
	run ! grep skiff-net "$BATS_TEST_TMPDIR/trace"
	[[ ! -e $root/.net ]]
}
