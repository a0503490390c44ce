# The store: sources, names, sharing, gc, crashes, several at once, export and verify.
load image_helpers

two_layers() {
	make "$1" <<<'layer(folder("bin"), file("bin/a", "shared" * 20000, uid=7), file("gone"), pack="gzip"); layer(file("b", "'"$1"'"), file(".wh.gone", ""), pack="gzip"); config(Cmd=["a"])'
}

@test "import prints the digest; ls, inspect and rm know the name" {
	two_layers one
	image import --quiet --name app:1 oci:one
	digest=$output
	run image ls --format json
	is app:1 "$(jq -r '.[0].name' <<<"$output")"
	is 2 "$(jq -r '.[0].layers' <<<"$output")"
	run image inspect app:1
	is 2 "$(jq -r '.lower | length' <<<"$output")"
	image inspect --format config app:1 | jq -e '.config.Cmd == ["a"]'
	short=$(image ls --format json | jq -r '.[0].image' | cut -c8-19)
	image inspect "$short" | jq -e .manifest
	image rm app:1
	run image ls -q
	is ""
	[[ -z $(ls store/layers) && -z $(ls store/blobs/sha256) && -z $(ls store/images) ]]
	run image rm app:1
	[[ $status == 1 && $output == *"no image 'app:1'"* ]]
}

@test "a name without a tag finds :latest" {
	two_layers one
	image import --quiet --name app:latest oci:one
	image inspect app | jq -e .manifest
	image rm app
	[[ -z $(image ls -q) ]]
}

@test "images share layers; gc keeps what one still needs" {
	two_layers one
	two_layers two
	image import --quiet --name one oci:one
	image import --quiet --name two oci:two
	is 3 "$(ls store/layers | wc -l)"
	is "$(lower one | tail -1)" "$(lower two | tail -1)"
	image rm one
	is 2 "$(ls store/layers | wc -l)"
	image verify two
	image import --quiet --name two oci:one
	run image gc --dry-run
	is "would remove 1 images, 1 layers, 2 blobs"
	run image gc
	is "removed 1 images, 1 layers, 2 blobs"
}

@test "what a container uses stays until it is released" {
	two_layers one
	image import --quiet --name one oci:one
	run image prepare --quiet --container c1 one
	upper=$(jq -r .upper <<<"$output")
	[[ -d $upper && -d $(jq -r .work <<<"$output") && -d $(jq -r .merged <<<"$output") ]]
	run image prepare --quiet --container c1 one
	[[ $status == 1 && $output == *exists* ]]
	image rm one
	is 2 "$(ls store/layers | wc -l)"
	image release c1 c1
	[[ ! -e $upper ]]
	image gc --quiet
	[[ -z $(ls store/layers) ]]
}

@test "a bundle without --flat keeps its layers until it is removed" {
	two_layers one
	image unpack --quiet oci:one bundle
	jq -e '.mounts[0].type == "overlay" and .process.args == ["a"]' bundle/config.json
	image gc --quiet
	is 2 "$(ls store/layers | wc -l)"
	run image unpack --quiet oci:one bundle
	[[ $status == 1 && $output == *exists* ]]
	rm -r bundle
	image unpack --quiet oci:one bundle
	rm -r bundle
	image rm t
	[[ -z $(ls store/layers) && -z $(ls store/containers) ]]
}

@test "the second import reads no layer" {
	two_layers one
	image import --quiet oci:one
	# a leak checker cannot work under a tracer
	ASAN_OPTIONS=detect_leaks=0 run strace -f -e trace=pread64 -o trace "$IMAGE" import --quiet --root store oci:one
	[[ $status == 0 ]]
	! grep -q '\\37\\213' trace
}

@test "sources: folders and archives, packed or not, and root file systems" {
	two_layers one
	tar -C one -cf one.tar .
	for pack in cat gzip xz bzip2 zstd; do
		if [[ $pack == cat ]]; then cat; else $pack -c; fi <one.tar >one.packed
		rm -rf store
		image import --quiet "oci-archive:one.packed:t"
		image import --quiet ./one.packed
		is t "$(image ls --format json | jq -r '.[0].name')"
	done
	cat one.tar | image import --quiet oci-archive:-
	image unpack --quiet --flat t flat
	for pack in cat gzip xz bzip2 zstd; do
		tar -C flat/rootfs --numeric-owner -c . | if [[ $pack == cat ]]; then cat; else $pack -c; fi >root.packed
		image import --quiet --name r rootfs:root.packed
		rm -rf out
		image unpack --quiet --flat r out
		same_tree --no-root flat/rootfs out/rootfs
	done
	image import --quiet --name d rootfs:flat/rootfs
	rm -rf out
	image unpack --quiet --flat d out
	same_tree flat/rootfs out/rootfs
	image verify --quiet d
	run image import --quiet oci:nowhere
	[[ $status == 1 && $output == *"No such file"* ]]
	run image import --quiet oci:one:other
	[[ $status == 1 && $output == *"no image 'other'"*"t"* ]]
}

@test "the platform chooses in an index; attestations are none" {
	mkdir all
	for arch in amd64 arm64; do
		make $arch <<<"layer(file('arch', '$arch')); set(top={'architecture': '$arch'})"
		cp -r $arch/. all/
	done
	jq -s '{schemaVersion: 2, manifests: [
		(.[0].manifests[0] + {platform: {os: "linux", architecture: "amd64"}}),
		(.[1].manifests[0] + {platform: {os: "linux", architecture: "arm64", variant: "v8"}}),
		(.[1].manifests[0] + {platform: {os: "unknown", architecture: "unknown"}})]}' amd64/index.json arm64/index.json >all/index.json
	for arch in amd64 arm64 arm64/v8; do
		rm -rf out
		image unpack --quiet --flat --platform linux/$arch oci:all out
		is "${arch%/*}" "$(<out/rootfs/arch)"
	done
	run image import --quiet --platform linux/s390x oci:all
	[[ $status == 1 && $output == *"no image for linux/s390x"* ]]
	run image import --quiet --platform nonsense oci:all
	[[ $status == 1 && $output == *"not a platform"* ]]
}

@test "export and import again: the same image, bit by bit" {
	two_layers one
	image import --quiet oci:one
	image=$(image ls --format json | jq -r '.[0].image')
	for target in oci:out oci-archive:out.tar docker-archive:docker.tar plain.tar; do
		for how in gzip zstd none; do
			rm -rf out out.tar docker.tar plain.tar again
			[[ $target == docker* && $how != none ]] && continue
			image export --compress $how t $target
			store=again image import --quiet --name t "${target/plain/.\/plain}"
			is "$image" "$(store=again image ls --format json | jq -r '.[0].image')"
			store=again image verify --quiet t
		done
	done
}

@test "export of a layer whose entries replaced each other gives the same files" {
	make one <<<'layer(file("a", "first"), file("a", "last"), file("b")); layer(hard("c", "b"), file(".wh.a", ""))'
	image import --quiet oci:one
	image export t oci:out
	store=again image import --quiet oci:out
	image unpack --quiet --flat t x
	store=again image unpack --quiet --flat t y
	same_tree x/rootfs y/rootfs
}

@test "verify finds a changed byte, mode, owner, time, xattr and a missing file" {
	two_layers one
	image import --quiet oci:one
	file=$(ls store/layers/*/diff/bin/a)
	cp -a "$file" kept
	image verify t
	broken() { run image verify --quiet t; [[ $status == 1 && $output =~ $1 ]] || { echo "$1: $status $output"; return 1; }; rm -f "$file"; cp -a kept "$file"; touch -d @0 "${file%/*}"; }
	printf X | dd of="$file" bs=1 seek=7 conv=notrunc status=none; touch -d @0 "$file"
	broken "content"
	chmod 600 "$file"
	broken mode
	chown 8 "$file"
	broken owner
	touch -d @5 "$file"
	broken time
	rm "$file"
	touch -d @0 "${file%/*}"
	broken "No such file"
	image verify --quiet t
	echo x >>store/blobs/sha256/"$(ls store/blobs/sha256 | head -1)"
	broken damaged
}

@test "several imports at once do the work once, and all succeed" {
	make one <<<'layer(*[file("f%d" % i, b"%d" % i * 500) for i in range(3000)], pack="gzip"); layer(file("b"), pack="gzip")'
	for i in 1 2 3 4; do
		image import --quiet oci:one >"out$i" 2>&1 &
	done
	wait
	for i in 1 2 3 4; do
		cmp out1 "out$i"
		[[ $(<"out$i") == sha256:* ]]
	done
	is 2 "$(ls store/layers | wc -l)"
	[[ -z $(ls store/tmp) ]]
	image verify --quiet t
}

@test "kill -9 at any moment leaves a store that works and is tidied" {
	make one <<<'layer(*[file("f%d" % i, b"%d" % i * 50) for i in range(4000)], pack="gzip"); layer(file("b"), pack="gzip")'
	for delay in 0.005 0.01 0.02 0.03 0.05 0.07 0.1 0.15 0.2 0.3; do
		timeout -s KILL $delay "$IMAGE" import --quiet --root store oci:one >/dev/null 2>&1 || :
		# the kernel may take a moment to let go of a dead process's locks
		for _ in {1..20}; do
			image ls -q >listed
			[[ -n $(ls store/tmp) ]] || break
			sleep 0.05
		done
		[[ -z $(ls store/tmp) ]]
	done
	image import --quiet oci:one
	image verify --quiet t
	is 2 "$(ls store/layers | wc -l)"
}

@test "a store of another version and unknown verbs, options and names are clear errors" {
	mkdir store
	echo 9 >store/version
	run image ls
	[[ $status == 1 && $output == *version* ]]
	run "$IMAGE" frobnicate
	[[ $status == 1 && $output == *"unknown verb"* ]]
	run image ls --nonsense
	[[ $status == 1 && $output == *"unknown option"* ]]
	rm -r store
	run image inspect nothing
	[[ $status == 1 && $output == *"no image 'nothing'"* ]]
	run image import --quiet --devices maybe oci:x
	[[ $status == 1 && $output == *"--devices"* ]]
}

@test "progress: lines where there is no terminal, one line on a terminal, nothing with --quiet" {
	two_layers one
	image import oci:one 2>progress
	grep -q '^layers 2/2 ' progress
	rm -rf store
	image import --quiet oci:one 2>progress
	[[ ! -s progress ]]
	rm -rf store
	script -qc "$IMAGE import --root store oci:one" /dev/null </dev/null >shown
	grep -q $'\r' shown
	grep -q 'layers 2/2' shown
}
