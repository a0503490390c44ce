#!/usr/bin/env bats
# Kernels that somebody brings: a bzImage is unpacked into the store once, whatever it is packed with.
load helpers

setup() {
	begin
	export SKIFF_KERNELS=$BATS_TEST_TMPDIR/kernels
	printf '\177ELF and %s' "$(seq 100000)" >"$BATS_TEST_TMPDIR/elf"
}

unpack() { # FILE
	skiff kernel unpack "$1"
}

@test "a bzImage is unpacked: gzip, bzip2, xz, lzma, lz4, zstd" {
	local kind n=0
	for kind in gzip bzip2 xz lzma lz4 zstd; do
		"$tools/bzimage" "$kind" "$BATS_TEST_TMPDIR/elf" "$BATS_TEST_TMPDIR/bz-$kind"
		run -0 unpack "$BATS_TEST_TMPDIR/bz-$kind"
		cmp "$output" "$BATS_TEST_TMPDIR/elf"
		n=$((n + 1))
	done
	is "$n" "$(find "$SKIFF_KERNELS/unpacked" -type f | wc -l)"
	run -0 skiff kernel ls
	is ""
}

@test "the second time it is there; a file that has changed is unpacked anew, and the old one goes" {
	local first inode
	"$tools/bzimage" zstd "$BATS_TEST_TMPDIR/elf" "$BATS_TEST_TMPDIR/bz"
	first=$(unpack "$BATS_TEST_TMPDIR/bz")
	inode=$(stat -c '%i %z' "$first")
	is "$first" "$(unpack "$BATS_TEST_TMPDIR/bz")"
	is "$inode" "$(stat -c '%i %z' "$first")"
	# the same size, and the time of change that it pretends to have: only ctime tells
	sed -i s/0/1/ "$BATS_TEST_TMPDIR/elf"
	cp -p "$BATS_TEST_TMPDIR/bz" "$BATS_TEST_TMPDIR/old"
	"$tools/bzimage" zstd "$BATS_TEST_TMPDIR/elf" "$BATS_TEST_TMPDIR/bz.new"
	cat "$BATS_TEST_TMPDIR/bz.new" >"$BATS_TEST_TMPDIR/bz"
	touch -r "$BATS_TEST_TMPDIR/old" "$BATS_TEST_TMPDIR/bz"
	run -0 unpack "$BATS_TEST_TMPDIR/bz"
	[[ $output != "$first" && ! -e $first ]]
	cmp "$output" "$BATS_TEST_TMPDIR/elf"
}

@test "many at once: each gets it whole, and one is left" {
	local i
	"$tools/bzimage" gzip "$BATS_TEST_TMPDIR/elf" "$BATS_TEST_TMPDIR/bz"
	for i in {1..8}; do
		unpack "$BATS_TEST_TMPDIR/bz" >"$BATS_TEST_TMPDIR/path.$i" &
	done
	wait
	for i in {1..8}; do
		cmp "$(<"$BATS_TEST_TMPDIR/path.$i")" "$BATS_TEST_TMPDIR/elf"
	done
	is 1 "$(find "$SKIFF_KERNELS/unpacked" -type f | wc -l)"
}

@test "what others could have put there is not used; what is no kernel is said to be none" {
	local path
	"$tools/bzimage" lz4 "$BATS_TEST_TMPDIR/elf" "$BATS_TEST_TMPDIR/bz"
	path=$(unpack "$BATS_TEST_TMPDIR/bz")
	chmod 666 "$path"
	run -1 unpack "$BATS_TEST_TMPDIR/bz"
	says "others could change it"
	chown 1000 "$path"
	chmod 644 "$path"
	run -1 unpack "$BATS_TEST_TMPDIR/bz"
	says "is not yours alone"
	chown 0 "$path"
	chmod 777 "${path%/*}"
	run -1 unpack "$BATS_TEST_TMPDIR/bz"
	says "is not yours alone"
	chmod 755 "${path%/*}"
	ln -sf "$BATS_TEST_TMPDIR/elf" "$path"
	run -1 unpack "$BATS_TEST_TMPDIR/bz"
	says "is not yours alone"
	echo "no kernel" >"$BATS_TEST_TMPDIR/elf"
	"$tools/bzimage" gzip "$BATS_TEST_TMPDIR/elf" "$BATS_TEST_TMPDIR/bz"
	run -1 unpack "$BATS_TEST_TMPDIR/bz"
	says "what it packs is no ELF file"
	run -1 unpack "$BATS_TEST_TMPDIR/elf"
	says "not a kernel of the bzImage format"
	is "${path##*/}" "$(ls "${path%/*}")"
}
