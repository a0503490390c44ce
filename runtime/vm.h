/* Sandboxes: what the steps of a container in a machine of its own share beyond struct life. */
#pragma once

#include <linux/filter.h>

#include "runtime.h"
#include "runtime/life.h"
#include "runtime/vm_shapes.h"
#include "vmm.h"

#define VM_PORT        "skiff.agent"      /* the name of the console's port to the agent */
#define VM_TAG         "skiff"            /* of the file system that the guest mounts */
#define VM_SHARE       "/run/skiff/share" /* where it mounts it: rootfs, mounts/N */

#define VM_VSOCK       "vsock"           /* the name of the socket that leads to the guest's */
#define VM_DISK_SYSTEM "system"          /* the guest's system: .vm.image */
#define VM_DISK_ROOT   "root"            /* the container's root: a file at .root.path */
#define VM_ROOT        "/run/skiff/root" /* where the guest mounts that */

enum { VM_DISKS = 2 };

enum vm_choice { VM_NONE, VM_AUTO, VM_QEMU, VM_KVM };

/* Lies in the shared arena. Paths are the host's. */
struct vm {
	enum vm_choice engine; /* VM_QEMU or VM_KVM, once it is chosen */
	bool kvm;              /* QEMU may use /dev/kvm */
	const char *program;   /* the engine */
	struct texts program_parameters;
	const char *file_server;
	bool foreign_file_server; /* a virtiofsd, not skiff-fs */
	bool makes_devices;       /* device nodes on the root: config.json lets the program */
	const char *kernel;
	const char *initrd; /* ours: agent and modules, behind what config.json names */
	const char *options;
	const char *root_image; /* NULL: the root is a folder, which the host shares */
	struct machine_disk disks[VM_DISKS];
	const char *disk_paths[VM_DISKS];
	size_t n_disks;
	struct machine_rate disk_rate, net_rate; /* that annotations ask for */
	uint32_t vcpus;
	uint64_t memory;    /* bytes */
	const char *vsock;  /* the folder where its stream sockets end; NULL: it has none */
	const char *config; /* config.json as the guest gets it */
	size_t config_len;
	const char *network_json; /* NULL: none but lo */
	struct vm_network network;
	const struct spec *asked; /* what the bundle says; life.spec is what the host's side does */
};

extern const struct step vm_life[]; /* life_vm.c */

/* vm_spec.c: which engine the bundle, an annotation or the command line asks for. */
must_use error *vm_choose(const struct spec *spec, const char *option, enum vm_choice *out);
/* vm_disks.c: which disks the machine has, and how fast they and its network may be. */
must_use error *vm_list_disks(const struct spec *spec, struct arena *arena, struct vm *vm);
/* Which limits of .linux.resources.blockIO are a disk's: those of the device that it lies on. Looks
 * at the host's files. */
must_use error *vm_limit_disks(const struct spec *spec, struct vm *vm);
/* Whether blockIO has a limit for the device that this file lies on. */
bool vm_has_limit_of(const struct spec_block_io *b, const char *path);
/* What the guest is told of blockIO: its devices have other numbers. */
void vm_guest_block_io(const struct spec_block_io *b, struct spec_block_io *guest);

/* Of the limits those that are the host's part. */
void vm_host_resources(const struct spec_resources *r, struct spec_resources *host);
/* config.json with a vm section that has the options in it. */
must_use error *vm_with_options(const struct spec *spec, const struct vm_options *options,
				struct arena *arena, const struct spec **out);
/* config.json that mounts the files which name hosts, so that they reach the guest as any mount. */
must_use error *vm_with_names(const struct spec *spec, const char *folder, struct arena *arena,
			      const struct spec **out);
/* The folder for the guest's stream sockets that an option or an annotation names, absolute; or
 * NULL.
 */
must_use error *vm_find_vsock(const struct spec *spec, const char *option, struct arena *arena,
			      const char **out);
/* Divides config.json into what is done on the host (*host) and what in the guest (vm->config).
 * ENOTSUP names the field that a sandbox cannot have. */
must_use error *vm_divide(const struct spec *spec, bool rootless, struct arena *arena,
			  struct vm *vm, const struct spec **host);
