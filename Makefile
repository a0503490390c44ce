# make               build/skiff and build/libexec        make demo          a container, from nothing
# make test          everything that can be tested        make unit bats vm-test   its parts (T=file: one)
# make lint          floors, format, tidy, cppcheck       make bench         beside the installed peers
# make SAN=asan unit under ASan and UBSan (tsan, cov)     make V=1           shows the commands

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PREFIX  ?= /usr/local
LIBS    := libcap libseccomp yajl

# Floors, lowest first; siblings share one word. A folder includes only what stands below it.
FLOORS  := base spec cgroup+netns+image+vmm runtime guest cli
FOLDERS := $(wildcard $(subst +, ,$(FLOORS)))

SAN     ?=
B       := build$(if $(SAN),/$(SAN))
S_asan  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DSKIFF_FAIL_STEP
S_tsan  := -fsanitize=thread
S_cov   := --coverage -O0
S_steps := -DSKIFF_FAIL_STEP
S_fuzz  := $(S_asan) -fsanitize=fuzzer-no-link -O1 -w

CFLAGS  ?= -O2 -g
HARD    := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
           -Wno-missing-field-initializers -Werror
FLAGS    = -std=gnu17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Iinclude -I. $(WARN) $(S_$(SAN)) $(CFLAGS) \
           $(shell pkg-config --cflags $(LIBS))
LINK     = $(S_$(SAN)) $(LDFLAGS) $(shell pkg-config --libs $(LIBS))

# skiff itself is linked statically with musl, which starts in half the time that a static glibc takes; its libraries
# are Debian's archives, which ask for three of glibc's checked functions (base/fortified.c). yajl's is named libyajl_s.a.
# With SAN= it is an ordinary dynamic program.
MUSL    := musl-gcc
MUSL_FLAGS = -std=gnu17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Iinclude -I. $(WARN) $(filter -DSKIFF%,$(S_$(SAN))) \
           -fstack-protector-strong -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch) \
           $(shell pkg-config --cflags $(LIBS))
ARCHIVES := $(foreach l,$(LIBS),$(shell pkg-config --variable=libdir $l)/lib$(subst yajl,yajl_s,$(l:lib%=%)).a)

# The second stage, skiff-init, is what a process becomes before a hostile one can look at it. It is built from
# the same sources, small enough to be copied into a sealed memfd at every start.
INIT_SRC := $(addprefix base/,arena.c error.c fd.c kernel.c names.c overlay.c path.c process.c text.c) spec/query.c \
           $(addprefix runtime/,plan.c baton.c life.c start.c hooks.c) $(wildcard runtime/init_*.c)
INIT_OBJ := $(INIT_SRC:%.c=$B/init/%.o)

# Sandboxes: skiff-sandbox is the monitor on the host, a second stage of its own; skiff-agent is process 1 of the guest,
# with the same runtime as skiff.
MONITOR_OBJ := $(INIT_OBJ) $(patsubst %.c,$B/init/%.o,$(wildcard runtime/monitor_*.c) runtime/life_vm.c runtime/wire.c \
           runtime/stream.c base/loop.c base/filter.c vmm/qemu.c vmm/words.c)
AGENT_OBJ = $(filter-out $B/musl/cli/%,$(MUSL_OBJ)) $(patsubst %.c,$B/musl/%.o,$(wildcard guest/*.c))

# The machine of --sandbox kvm.
VMM_SRC := $(wildcard vmm/vm_*.c vmm/boot_*.c vmm/virtio_*.c)
FS_SRC := $(wildcard vmm/fs_*.c)
VMM_BASE := $(addprefix base/,arena.c error.c fd.c kernel.c loop.c options.c text.c)
VMM_PARTS := $(patsubst %.c,$B/%.o,$(filter-out vmm/%_main.c,$(VMM_SRC) $(FS_SRC)))
VMM_OBJ := $(patsubst %.c,$B/musl/%.o,$(VMM_SRC) $(VMM_BASE))

# What serves files to machines.
FS_OBJ := $(patsubst %.c,$B/musl/%.o,$(FS_SRC) vmm/virtio_queue.c vmm/vm_memory.c $(VMM_BASE) base/filter.c base/process.c)

# Programs of their own, for what needs heavier libraries; skiff executes them.
NET_LIBS := libnl-3.0 libnl-route-3.0 libnftables yajl
NET_OBJ := $(patsubst %.c,$B/%.o,$(filter-out base/fortified.c,$(wildcard base/*.c netns/*.c)))
$(patsubst %.c,$B/%.o,$(wildcard netns/*.c tests/unit/netns/*.c)): MORE = $(shell pkg-config --cflags $(NET_LIBS))

IMAGE_LIBS := libarchive libcrypto libzstd zlib yajl libcap $(shell pkg-config --exists libisal && echo libisal)
IMAGE_OBJ := $(patsubst %.c,$B/%.o,$(filter-out base/fortified.c,$(wildcard base/*.c spec/*.c image/*.c)))
$(patsubst %.c,$B/%.o,$(wildcard image/*.c)): MORE = $(shell pkg-config --cflags $(IMAGE_LIBS)) \
           $(if $(filter libisal,$(IMAGE_LIBS)),-DHAVE_ISAL)

KERNEL_LIBS := libarchive yajl
KERNEL_OBJ := $(patsubst %.c,$B/%.o,$(filter-out base/fortified.c,$(wildcard base/*.c vmm/kernel_*.c) vmm/store.c))

HOT_SRC := $(filter-out runtime/init_% runtime/monitor_% vmm/kernel_% $(VMM_SRC) $(FS_SRC) base/fortified.c,$(foreach f,base spec cgroup \
           vmm runtime cli,$(wildcard $f/*.c))) image/prepared.c netns/request.c
HOT_OBJ := $(HOT_SRC:%.c=$B/%.o)
MUSL_OBJ := $(HOT_SRC:%.c=$B/musl/%.o) $B/musl/base/fortified.o
UNIT    := $(wildcard tests/unit/*/*.c)
TESTS   := $(UNIT:%.c=$B/%)
HEADERS := $(wildcard include/*.h include/*/*.h */*.h)
ALL_SRC := $(foreach f,$(FOLDERS),$(wildcard $f/*.c))
Q       := $(if $(V),,@)

all: $B/skiff $(addprefix $B/libexec/skiff-,net image kernel sandbox agent vmm fs)

$B/libexec/skiff-sandbox: $(filter-out $B/init/runtime/init_main.o,$(MONITOR_OBJ))
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$Q$(MUSL) -static -Wl,--gc-sections -o $@ $^ $(LDFLAGS)

$B/libexec/skiff-agent: $(AGENT_OBJ) $B/init.o
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$Q$(MUSL) -static -s -o $@ $^ $(LDFLAGS) $(ARCHIVES)

$B/libexec/skiff-vmm: $(VMM_OBJ)
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$Q$(MUSL) -static -o $@ $^ $(LDFLAGS)

$B/libexec/skiff-fs: $(FS_OBJ)
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$Q$(MUSL) -static -o $@ $^ $(LDFLAGS)

$B/libexec/skiff-net: $(NET_OBJ)
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$Q$(CC) -o $@ $^ $(S_$(SAN)) $(LDFLAGS) $(shell pkg-config --libs $(NET_LIBS))

$B/libexec/skiff-kernel: $(KERNEL_OBJ)
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$Q$(CC) -o $@ $^ $(S_$(SAN)) $(LDFLAGS) $(shell pkg-config --libs $(KERNEL_LIBS))

$B/libexec/skiff-image: $(IMAGE_OBJ)
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$Q$(CC) -o $@ $^ $(S_$(SAN)) $(LDFLAGS) $(shell pkg-config --libs $(IMAGE_LIBS)) -pthread

ifneq ($(filter asan tsan cov,$(SAN)),)
$B/skiff: $(HOT_OBJ) $B/init.o
	@echo "  LD    $@"
	$Q$(CC) -o $@ $^ $(LINK)
else
$B/skiff: $(MUSL_OBJ) $B/init.o
	@echo "  LD    $@"
	$Q$(MUSL) -static -o $@ $^ $(LDFLAGS) $(ARCHIVES)
endif

$B/%.o: %.c Makefile
	@echo "  CC    $@"
	@mkdir -p $(@D)
	$Q$(CC) $(FLAGS) $(MORE) $(HARD) -MMD -MP -c -o $@ $<

$B/init/%.o: %.c Makefile
	@echo "  MUSL  $@"
	@mkdir -p $(@D)
	$Q$(MUSL) $(MUSL_FLAGS) -DSKIFF_INIT -Os -g -ffunction-sections -fdata-sections -MMD -MP -c -o $@ $<

$B/musl/%.o: %.c Makefile
	@echo "  MUSL  $@"
	@mkdir -p $(@D)
	$Q$(MUSL) $(MUSL_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/skiff-init: $(INIT_OBJ)
	@echo "  LD    $@"
	$Q$(MUSL) -static -s -Wl,--gc-sections -Wl,-z,noseparate-code -o $@ $^

# the program's own copy of the second stage
$B/init.o: $B/skiff-init
	$Qcd $(@D) && ld -r -b binary -z noexecstack -o init.o skiff-init

IMAGE_TESTS := $(filter $B/tests/unit/image/%,$(TESTS))
$(IMAGE_TESTS): %: %.o $(filter-out $B/image/main.o,$(IMAGE_OBJ))
	@echo "  LD    $@"
	$Q$(CC) -o $@ $^ $(S_$(SAN)) $(LDFLAGS) $(shell pkg-config --libs $(IMAGE_LIBS)) -pthread

NET_TESTS := $(filter $B/tests/unit/netns/%,$(TESTS))
$(NET_TESTS): %: %.o $(filter-out $B/netns/main.o,$(NET_OBJ))
	@echo "  LD    $@"
	$Q$(CC) -o $@ $^ $(S_$(SAN)) $(LDFLAGS) $(shell pkg-config --libs $(NET_LIBS))

$(filter $B/tests/unit/vmm/%,$(TESTS)): $(VMM_PARTS)
$(filter-out $(IMAGE_TESTS) $(NET_TESTS),$(TESTS)): %: %.o $(filter-out $B/cli/%,$(HOT_OBJ)) $B/init.o
	@echo "  LD    $@"
	$Q$(CC) -o $@ $^ $(LINK)

# make SAN=fuzz CC=clang fuzzers
FUZZERS := $(patsubst tests/fuzz/%.c,$B/%,$(wildcard tests/fuzz/*.c))
FUZZ_OBJ := $(filter-out $B/image/main.o,$(IMAGE_OBJ)) $(VMM_PARTS) $(addprefix $B/runtime/,mounts.o seccomp.o rootless.o helper.o \
            wire.o stream.o baton.o vm_shapes.o vm_disks.o vm_spec.o)
$(FUZZERS): $B/%: tests/fuzz/%.c tests/fuzz/pieces.h $(FUZZ_OBJ)
	@echo "  LD    $@"
	$Q$(CC) $(FLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJ) $(shell pkg-config --libs $(IMAGE_LIBS) $(LIBS)) -pthread
fuzzers: $(FUZZERS)

unit-programs: $(TESTS)
unit-list:
	@echo $(TESTS)
unit:
	tests/run unit
bats: all build/steps/skiff
	$(if $T,bats $T,tests/run bats)
vm-test: all build/steps/skiff
	$(if $T,tests/vm/run $T,tests/run vm)
vm-shell:
	tests/vm/shell
test:
	tests/packages test
	$(MAKE) all build/steps/skiff
	tests/run
ifneq ($(SAN),steps)
build/steps/skiff: $(ALL_SRC)
	$Q$(MAKE) SAN=steps all
endif

demo:
	@tests/packages demo
	@$(MAKE) -s all
	@tests/demo

# a kernel for sandboxes with everything built in, from Debian's source; takes some minutes
guest-kernel:
	guest/build-kernel $(abspath build/kernels)

config.json.example: $B/skiff
	$B/skiff spec -f - >$@

lint: floors format tidy cppcheck shellcheck
floors:
	$Qtests/lint/floors $(FLOORS)
sizes:
	$Qtests/lint/sizes 700 80 15 $(FOLDERS)
format:
	$Qclang-format --dry-run -Werror $(ALL_SRC) $(UNIT) $(HEADERS)
tidy: compile_commands.json
	$Qprintf '%s\n' $(ALL_SRC) | xargs -P2 -n8 clang-tidy --quiet -p . 2>/dev/null
cppcheck: compile_commands.json
	$Qcppcheck --quiet -j2 --project=$< --enable=warning,performance,portability --inline-suppr \
	  --suppress='*:/usr/*' --suppress=unknownMacro --suppress=internalAstError --suppress=memleak \
	  --suppress=autoVariables --suppress=uninitvar --suppress=legacyUninitvar --error-exitcode=1
shellcheck:
	$Qgit ls-files | xargs grep -lE '^#!/(usr/)?bin/(env )?(ba)?sh' | xargs shellcheck

bench: all
	bench/run
	bench/image/run
	bench/net/run
	bench/vm/run

compile_commands.json: Makefile $(ALL_SRC)
	$Qtests/lint/commands "$(subst ",\",$(CC) $(FLAGS) $(shell pkg-config --cflags $(NET_LIBS) $(IMAGE_LIBS)))" $(ALL_SRC) >$@

install: all
	install -D -m 755 $B/skiff $(DESTDIR)$(PREFIX)/bin/skiff
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/libexec/skiff $B/libexec/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/man/*.1

# what says the version is compiled anew after a commit
$(foreach c,help features,$B/cli/cmd_$c.o $B/musl/cli/cmd_$c.o): $(wildcard .git/logs/HEAD)

clean:
	rm -rf build compile_commands.json

-include $(HOT_OBJ:.o=.d) $(MUSL_OBJ:.o=.d) $(NET_OBJ:.o=.d) $(IMAGE_OBJ:.o=.d) $(KERNEL_OBJ:.o=.d) $(INIT_OBJ:.o=.d) $(MONITOR_OBJ:.o=.d) $(AGENT_OBJ:.o=.d) $(VMM_OBJ:.o=.d) $(FS_OBJ:.o=.d) $(VMM_PARTS:.o=.d) $(TESTS:=.d)
.PHONY: all guest-kernel install fuzzers unit unit-programs unit-list bats vm-test vm-shell test demo config.json.example lint floors sizes format tidy cppcheck shellcheck clean
.SECONDARY:
