# Published ports, and the rules behind them.
load net_helpers

rules() { # the store's table
	in_host nft list tables | awk '$3 ~ /^skiff/ { print $3 }'
}

@test "a published port answers from the world, the host, localhost and other containers, and from within" {
	up a --net bridge -p 8080:80
	up b --net bridge
	serve a tcp 80
	says "a 192.0.2.2" "$(ask world tcp 192.0.2.1 8080)"
	says "a " "$(ask host tcp 192.0.2.1 8080)"
	says "a " "$(ask host tcp 127.0.0.1 8080)"
	says "a " "$(ask host tcp 10.90.0.1 8080)"
	says "a " "$(ask b tcp 192.0.2.1 8080)"
	says "a " "$(ask a tcp 192.0.2.1 8080)"
	says "a " "$(ask a tcp 10.90.0.1 8080)"
	no_answer world tcp 192.0.2.1 80
	down a
	no_answer world tcp 192.0.2.1 8080
}

@test "UDP, and the same port of TCP to another container" {
	up a --net bridge -p 5353:53/udp
	up b --net bridge -p 5353:53/tcp
	serve a udp 53
	serve b tcp 53
	says "a 192.0.2.2" "$(ask world udp 192.0.2.1 5353)"
	says "b 192.0.2.2" "$(ask world tcp 192.0.2.1 5353)"
	says "a " "$(ask host udp 127.0.0.1 5353)"
	says "a " "$(ask a udp 192.0.2.1 5353)"
}

@test "a port on one address, and ranges" {
	in_host ip address add 192.0.2.9/32 dev up0
	up a --net bridge -p 192.0.2.9:8080:80 -p 9000-9002:80-82
	up b --net bridge -p 127.0.0.1:8080:80
	serve a tcp 80
	serve a tcp 82
	serve b tcp 80
	says "a " "$(ask world tcp 192.0.2.9 8080)"
	no_answer world tcp 192.0.2.1 8080
	says "b " "$(ask host tcp 127.0.0.1 8080)"
	says "a " "$(ask world tcp 192.0.2.1 9000)"
	says "a " "$(ask world tcp 192.0.2.1 9002)"
}

@test "IPv6 ports" {
	skiff net create --ipv6 "six"
	up a --net bridge:six -p 8080:80 -p "[2001:db8::1]:9090:80"
	serve a tcp 80
	says "a 2001:db8::2" "$(ask world tcp 2001:db8::1 8080)"
	says "a 2001:db8::2" "$(ask world tcp 2001:db8::1 9090)"
	says "a " "$(ask host tcp 2001:db8::1 8080)"
	says "a " "$(ask world tcp 192.0.2.1 8080)"
	no_answer world tcp 192.0.2.1 9090
}

@test "a port that another container or a program of the host has is a clear error" {
	up a --net bridge -p 8080:80
	run -1 skiff run -d -b "$bundle" --net bridge -p 8080:81 "$id.b"
	one_line
	says "--publish: port 8080/tcp is published by container '$id.a'"
	run -1 skiff run -d -b "$bundle" --net bridge -p 127.0.0.1:8080:81 "$id.b"
	says "published by container"
	serve_outside host tcp 7070
	run -1 skiff run -d -b "$bundle" --net bridge -p 7070:81 "$id.b"
	one_line
	says "--publish: port 7070/tcp is in use on this host"
	run -1 skiff run -d -b "$bundle" --net bridge -p 192.0.2.200:7071:81 "$id.b"
	one_line
	says "not an address of this host"
	for bad in 80 x:80 80:80/icmp 0:80 99999:80 80-82:80; do
		run -1 skiff run -d -b "$bundle" --net bridge -p "$bad" "$id.b"
		one_line
		says "--publish: '$bad'"
	done
	is "$id.a" "$(skiff list -q)"
	up b --net bridge -p 8081:80
}

@test "-p alone means --net bridge" {
	up a -p 8080:80
	serve a tcp 80
	says "a " "$(ask world tcp 192.0.2.1 8080)"
}

@test "the table is ours alone and goes with the last user; others' rules are not touched" {
	in_host nft add table inet theirs
	in_host nft add chain inet theirs input '{ type filter hook input priority 0; }'
	in_host nft add rule inet theirs input tcp dport 9999 drop
	before=$(in_host nft list table inet theirs)
	up a --net bridge -p 8080:80
	up b --net bridge
	is 1 "$(rules | wc -l)"
	down a
	is 1 "$(rules | wc -l)"
	is "" "$(in_host nft list map inet "$(rules)" any4 | grep elements)"
	down b
	is "" "$(rules)"
	is "$before" "$(in_host nft list table inet theirs)"
	in_host nft delete table inet theirs
}

@test "who flushes all rules of the host loses ours; the next container, or prune, brings them back" {
	up a --net bridge -p 8080:80
	serve a tcp 80
	in_host nft flush ruleset
	no_answer world tcp 192.0.2.1 8080
	up b --net bridge -p 8081:80
	says "a " "$(ask world tcp 192.0.2.1 8080)"
	in_host nft flush ruleset
	skiff net prune
	says "a " "$(ask world tcp 192.0.2.1 8080)"
	in_host nft flush ruleset
	down b
	says "a " "$(ask world tcp 192.0.2.1 8080)"
}

@test "a container does not reach what the host has on 127.0.0.1" {
	up a --net bridge -p 8080:80
	serve_outside host tcp 7
	is 1 "$(in_host cat /proc/sys/net/ipv4/conf/skiff0/route_localnet)"
	# as a hostile one does: with the host's hardware address, and the route that says so
	in_net_of "$id.a" ip route add table local 127.0.0.53/32 dev eth0 2>/dev/null || true
	in_net_of "$id.a" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet; ip route del table local 127.0.0.0/8 dev lo; ip route del table local 127.0.0.1 dev lo
		ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via 10.90.0.1 src 10.90.0.2' || true
	no_answer a tcp 127.0.0.1 7
	in_host nft flush ruleset # the attack is real: without the rule it gets there
	says "host" "$(ask a tcp 127.0.0.1 7)"
}

@test "a new container at an old port gets the packets of those who still talk" {
	up a --net bridge -p 5353:53/udp
	serve a udp 53
	in_world python3 - >"$BATS_TEST_TMPDIR/heard" 3>&- 4>&- <<-'END' &
		import socket, time
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(0.1)
		s.bind(("192.0.2.2", 4444))
		for _ in range(100):
		    s.sendto(b"?", ("192.0.2.1", 5353))
		    try:
		        print(s.recv(100).decode().split()[0], flush=True)
		    except OSError:
		        pass
		    time.sleep(0.05)
	END
	eventually holds "$BATS_TEST_TMPDIR/heard" a
	down a
	up b --net bridge -p 5353:53/udp
	serve b udp 53
	eventually holds "$BATS_TEST_TMPDIR/heard" b
}
