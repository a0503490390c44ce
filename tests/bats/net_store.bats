# skiff net: networks as a person has them; and addresses, of which nobody gets one twice.
load net_helpers

@test "create, ls, inspect, rm" {
	run -0 skiff net create --subnet 10.5.0.0/24 --subnet fd00:5::/64 --mtu 1400 --device br-mine "mine"
	is mine
	run -0 skiff net ls
	says "mine             br-mine         10.5.0.0/24        fd00:5::/64            0"
	run -0 skiff net ls --format json
	is "mine 10.5.0.1 fd00:5::1 1400" "$(jq -r '.[0] | "\(.name) \(.gateway) \(.gateway6) \(.mtu)"' <<<"$output")"
	up a --net "bridge:mine"
	run -0 skiff net inspect "mine"
	is "$id.a 10.5.0.2 fd00:5::2" "$(jq -r '.[0].containers[0] | "\(.id) \(.ip) \(.ip6)"' <<<"$output")"
	run -0 in_host ip -o link show br-mine
	run -1 skiff net rm "mine"
	one_line
	says "network 'mine' is used by container '$id.a'"
	down a
	skiff net rm "mine"
	run -1 skiff net inspect "mine"
	one_line
	says "there is no network 'mine'"
	run -1 skiff net rm "mine"
}

@test "networks take free subnets of their own, and say when one is taken" {
	skiff net create "one"
	skiff net create "two"
	is "10.90.0.0/22 10.90.4.0/22" "$(skiff net ls --format json | jq -r '.[].subnet' | paste -sd' ')"
	run -1 skiff net create --subnet 10.90.1.0/24 "three"
	one_line
	says "subnet 10.90.1.0/24 overlaps that of the network 'one'"
	run -1 skiff net create --subnet 192.0.2.0/25 "three"
	one_line
	says "this host has a route to 192.0.2.0/24 already"
	run -1 skiff net create "one"
	one_line
	says "there is a network 'one' already"
	in_host ip route add 10.90.8.0/21 via 192.0.2.2
	skiff net create "three"
	is 10.90.16.0/22 "$(skiff net inspect "three" | jq -r '.[0].subnet')"
}

@test "a route that came after the network is an error when it is used" {
	skiff net create --subnet 10.5.0.0/24 "late"
	in_host ip route add 10.5.0.0/16 via 192.0.2.2
	run -1 skiff run -b "$bundle" --net "bridge:late" "$id"
	one_line
	says "connect it to the network: subnet 10.5.0.0/24: this host has a route to 10.5.0.0/16"
	nothing_left_net
}

@test "bad names, subnets, gateways, devices and lengths are one clear line" {
	for bad in "../x" "" ".hidden" "a/b" "-x"; do
		run -1 skiff net create -- "$bad"
		one_line
	done
	while read -r option value; do
		run -1 skiff net create "$option" "$value" "n"
		one_line
		says "$value"
	done <<-END
		--subnet 10.5.0.0
		--subnet 10.5.0.1/24
		--subnet 10.5.0.0/31
		--subnet 10.5.0.0/33
		--subnet fd00::/127
		--subnet nonsense/24
		--gateway 10.5.0.1
		--device much-too-long-name
		--device a/b
	END
	run -1 skiff net create --mtu 100 "n"
	one_line
	run -1 skiff net create --subnet 10.5.0.0/24 --subnet 10.6.0.0/24 "n"
	one_line
	is "" "$(skiff net ls --format json | jq -r '.[].name')"
}

@test "a device of the host that has the bridge's name is not touched" {
	skiff net create --device taken "n"
	in_host ip link add taken type bridge
	run -1 skiff run -b "$bundle" --net "bridge:n" "$id"
	one_line
	says "this host has a device 'taken' that is not skiff's"
	run -0 in_host ip -o link show taken
	in_host ip link del taken
	nothing_left_net
}

@test "a full pool is one clear line, and a place that gets free is used" {
	skiff net create --subnet 10.5.0.0/29 "small" # 6 hosts, one is the gateway
	for n in 1 2 3 4 5; do up $n --net "bridge:small"; done
	run -1 skiff run -d -b "$bundle" --net "bridge:small" "$id.6"
	one_line
	says "network 'small': all 5 addresses are taken"
	freed=$(address 3 ip small)
	down 3
	up 6 --net "bridge:small"
	is "$freed" "$(address 6 ip small)"
}

@test "an address that was given back rests until the others were given" {
	up a --net bridge
	up b --net bridge
	last=$(address b)
	down b
	up c --net bridge
	[[ $(address c) != "$last" ]]
}

@test "50 containers that start at once get 50 addresses, and leave nothing" {
	seq 50 | LIMIT=120 xargs -P 50 -I {} timeout -k 2 150 nsenter --net="/proc/$host/ns/net" \
		"$SKIFF" --root "$root" run -d -b "$bundle" --net bridge --name "$id.{}" >"$log" 2>&1 || { cat "$log"; false; }
	run -0 skiff net inspect bridge
	is 50 "$(jq -r '.[0].containers[].ip' <<<"$output" | sort -u | wc -l)"
	is 50 "$(in_host ip -o link show master skiff0 | wc -l)"
	is 50 "$(for n in $(seq 50); do in_net_of "$id.$n" ip -o -4 address show eth0; done | awk '{ print $4 }' | sort -u | wc -l)"
	# each knows all the others
	is 50 "$(skiff exec "$id.7" grep -c "^10.90.0." /etc/hosts)"
	seq 50 | xargs -P 10 -I {} nsenter --net="/proc/$host/ns/net" "$SKIFF" --root "$root" delete --force "$id.{}"
	nothing_left_net
}
