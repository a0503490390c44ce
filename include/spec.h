/* config.json of the OCI runtime specification 1.3 as plain structs. The rows below are the only
 * place where a field is named; see base/rows.h for what is made from them. Meanings, units and
 * ranges are the specification's (config.md, config-linux.md, config-vm.md), as are the names.
 */
#pragma once

#include "base/json.h"
#include "base/rows.h"

/* --- names.c: words of the specification, and the kernel's numbers for them --- */

#define SPEC_VERSION "1.3.0"

enum namespace_type {
	NS_MOUNT,
	NS_PID,
	NS_NETWORK,
	NS_UTS,
	NS_IPC,
	NS_USER,
	NS_CGROUP,
	NS_TIME,
	NS_COUNT
};

/* Actions of seccomp in the order of libseccomp's header; the two KILL words mean the same. */
enum spec_seccomp_action {
	ACT_KILL_THREAD,
	ACT_KILL_PROCESS,
	ACT_TRAP,
	ACT_ERRNO,
	ACT_NOTIFY,
	ACT_TRACE,
	ACT_LOG,
	ACT_ALLOW,
};
enum spec_seccomp_op { OP_NE, OP_LT, OP_LE, OP_EQ, OP_GE, OP_GT, OP_MASKED_EQ };

extern const struct names namespace_names;      /* enum namespace_type */
extern const struct names capability_names;     /* CAP_* numbers */
extern const struct names rlimit_names;         /* RLIMIT_* numbers */
extern const struct names seccomp_action_names; /* enum spec_seccomp_action */
extern const struct names seccomp_op_names;     /* enum spec_seccomp_op */
extern const struct names seccomp_arch_names;   /* AUDIT_ARCH_* numbers */
extern const struct names seccomp_flag_names;   /* bit numbers of SECCOMP_FILTER_FLAG_* */
extern const struct names propagation_names;    /* MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE */
extern const struct names personality_names;    /* PER_* */
extern const struct names scheduler_names;      /* SCHED_* */
extern const struct names scheduler_flag_names; /* bit numbers of SCHED_FLAG_* */
extern const struct names io_class_names;       /* IOPRIO_CLASS_* */
extern const struct names memory_policy_names;  /* MPOL_* */
extern const struct names memory_flag_names;    /* bit numbers of MPOL_F_* */
extern const struct names device_type_names;    /* S_IFCHR, S_IFBLK, S_IFIFO */
extern const struct names rule_type_names;      /* 'a', 'b', 'c' */
extern const struct names image_format_names;   /* 0 raw ... */

/* --- query.c --- */

/* CLONE_NEW* of an enum namespace_type, and its file's name in /proc/PID/ns. */
extern const struct spec_namespace_facts {
	uint64_t clone_flag;
	const char *file;
} spec_namespaces[NS_COUNT];

/* --- config.c: the shapes --- */

/* clang-format off */
#define SPEC_ROOT(row) \
	row(STR,       path,              "path",              REQUIRED) \
	row(BOOL,      readonly,          "readonly",          OPTIONAL)

#define SPEC_ID_MAP(row) \
	row(U32,       container_id,      "containerID",       REQUIRED) \
	row(U32,       host_id,           "hostID",            REQUIRED) \
	row(U32,       size,              "size",              REQUIRED)

#define SPEC_MOUNT(row) \
	row(STR,       destination,       "destination",       REQUIRED) \
	row(STR,       type,              "type",              OPTIONAL) \
	row(STR,       source,            "source",            OPTIONAL) \
	row(STRS,      options,           "options",           OPTIONAL) \
	row(LIST(spec_id_map), uid_mappings, "uidMappings",    OPTIONAL) \
	row(LIST(spec_id_map), gid_mappings, "gidMappings",    OPTIONAL)

#define SPEC_CONSOLE_SIZE(row) \
	row(U64,       height,            "height",            REQUIRED) \
	row(U64,       width,             "width",             REQUIRED)

#define SPEC_USER(row) \
	row(U32,       uid,               "uid",               WRITTEN) \
	row(U32,       gid,               "gid",               WRITTEN) \
	row(OPT_U32,   umask,             "umask",             OPTIONAL) \
	row(U32S,      additional_gids,   "additionalGids",    OPTIONAL) \
	row(STR,       username,          "username",          OPTIONAL)

#define SPEC_CAPABILITIES(row) \
	row(MASK(capability_names), bounding,    "bounding",    OPTIONAL) \
	row(MASK(capability_names), permitted,   "permitted",   OPTIONAL) \
	row(MASK(capability_names), effective,   "effective",   OPTIONAL) \
	row(MASK(capability_names), inheritable, "inheritable", OPTIONAL) \
	row(MASK(capability_names), ambient,     "ambient",     OPTIONAL)

#define SPEC_RLIMIT(row) \
	row(NAME(rlimit_names), type,     "type",              REQUIRED) \
	row(U64,       soft,              "soft",              REQUIRED) \
	row(U64,       hard,              "hard",              REQUIRED)

#define SPEC_SCHEDULER(row) \
	row(NAME(scheduler_names), policy, "policy",           REQUIRED) \
	row(I64,       nice,              "nice",              OPTIONAL) \
	row(I64,       priority,          "priority",          OPTIONAL) \
	row(MASK(scheduler_flag_names), flags, "flags",        OPTIONAL) \
	row(U64,       runtime,           "runtime",           OPTIONAL) \
	row(U64,       deadline,          "deadline",          OPTIONAL) \
	row(U64,       period,            "period",            OPTIONAL)

#define SPEC_IO_PRIORITY(row) \
	row(NAME(io_class_names), class,  "class",             REQUIRED) \
	row(I64,       priority,          "priority",          OPTIONAL)

#define SPEC_AFFINITY(row) \
	row(STR,       initial,           "initial",           OPTIONAL) \
	row(STR,       final,             "final",             OPTIONAL)

#define SPEC_PROCESS(row) \
	row(BOOL,      terminal,          "terminal",          OPTIONAL) \
	row(SUB(spec_console_size), console_size, "consoleSize", OPTIONAL) \
	row(SUB(spec_user), user,         "user",              OPTIONAL) \
	row(STRS,      args,              "args",              OPTIONAL) \
	row(STRS,      env,               "env",               OPTIONAL) \
	row(STR,       cwd,               "cwd",               REQUIRED) \
	row(SUB(spec_capabilities), capabilities, "capabilities", OPTIONAL) \
	row(LIST(spec_rlimit), rlimits,   "rlimits",           OPTIONAL) \
	row(BOOL,      no_new_privileges, "noNewPrivileges",   OPTIONAL) \
	row(STR,       apparmor_profile,  "apparmorProfile",   OPTIONAL) \
	row(OPT_I64,   oom_score_adj,     "oomScoreAdj",       OPTIONAL) \
	row(STR,       selinux_label,     "selinuxLabel",      OPTIONAL) \
	row(SUB(spec_scheduler), scheduler, "scheduler",       OPTIONAL) \
	row(SUB(spec_io_priority), io_priority, "ioPriority",  OPTIONAL) \
	row(SUB(spec_affinity), exec_cpu_affinity, "execCPUAffinity", OPTIONAL)

#define SPEC_HOOK(row) \
	row(STR,       path,              "path",              REQUIRED) \
	row(STRS,      args,              "args",              OPTIONAL) \
	row(STRS,      env,               "env",               OPTIONAL) \
	row(OPT_I64,   timeout,           "timeout",           OPTIONAL)

#define SPEC_HOOKS(row) \
	row(LIST(spec_hook), prestart,         "prestart",         OPTIONAL) \
	row(LIST(spec_hook), create_runtime,   "createRuntime",    OPTIONAL) \
	row(LIST(spec_hook), create_container, "createContainer",  OPTIONAL) \
	row(LIST(spec_hook), start_container,  "startContainer",   OPTIONAL) \
	row(LIST(spec_hook), poststart,        "poststart",        OPTIONAL) \
	row(LIST(spec_hook), poststop,         "poststop",         OPTIONAL)

#define SPEC_NAMESPACE(row) \
	row(NAME(namespace_names), type,  "type",              REQUIRED) \
	row(STR,       path,              "path",              OPTIONAL)

#define SPEC_DEVICE(row) \
	row(NAME(device_type_names), type, "type",             REQUIRED) \
	row(STR,       path,              "path",              REQUIRED) \
	row(I64,       major,             "major",             OPTIONAL) \
	row(I64,       minor,             "minor",             OPTIONAL) \
	row(OPT_U32,   file_mode,         "fileMode",          OPTIONAL) \
	row(OPT_U32,   uid,               "uid",               OPTIONAL) \
	row(OPT_U32,   gid,               "gid",               OPTIONAL)

#define SPEC_NET_DEVICE(row) \
	row(STR,       name,              "name",              OPTIONAL)

#define SPEC_DEVICE_RULE(row) \
	row(BOOL,      allow,             "allow",             REQUIRED) \
	row(NAME(rule_type_names), type,  "type",              OPTIONAL) \
	row(OPT_I64,   major,             "major",             OPTIONAL) \
	row(OPT_I64,   minor,             "minor",             OPTIONAL) \
	row(STR,       access,            "access",            OPTIONAL)

#define SPEC_MEMORY(row) \
	row(OPT_I64,   limit,             "limit",             OPTIONAL) \
	row(OPT_I64,   reservation,       "reservation",       OPTIONAL) \
	row(OPT_I64,   swap,              "swap",              OPTIONAL) \
	row(OPT_I64,   kernel,            "kernel",            OPTIONAL) \
	row(OPT_I64,   kernel_tcp,        "kernelTCP",         OPTIONAL) \
	row(OPT_U64,   swappiness,        "swappiness",        OPTIONAL) \
	row(OPT_BOOL,  disable_oom_killer, "disableOOMKiller", OPTIONAL) \
	row(OPT_BOOL,  use_hierarchy,     "useHierarchy",      OPTIONAL) \
	row(OPT_BOOL,  check_before_update, "checkBeforeUpdate", OPTIONAL)

#define SPEC_CPU(row) \
	row(OPT_U64,   shares,            "shares",            OPTIONAL) \
	row(OPT_I64,   quota,             "quota",             OPTIONAL) \
	row(OPT_U64,   burst,             "burst",             OPTIONAL) \
	row(OPT_U64,   period,            "period",            OPTIONAL) \
	row(OPT_I64,   realtime_runtime,  "realtimeRuntime",   OPTIONAL) \
	row(OPT_U64,   realtime_period,   "realtimePeriod",    OPTIONAL) \
	row(STR,       cpus,              "cpus",              OPTIONAL) \
	row(STR,       mems,              "mems",              OPTIONAL) \
	row(OPT_I64,   idle,              "idle",              OPTIONAL)

#define SPEC_PIDS(row) \
	row(OPT_I64,   limit,             "limit",             OPTIONAL)

#define SPEC_WEIGHT_DEVICE(row) \
	row(I64,       major,             "major",             REQUIRED) \
	row(I64,       minor,             "minor",             REQUIRED) \
	row(OPT_U32,   weight,            "weight",            OPTIONAL) \
	row(OPT_U32,   leaf_weight,       "leafWeight",        OPTIONAL)

#define SPEC_THROTTLE_DEVICE(row) \
	row(I64,       major,             "major",             REQUIRED) \
	row(I64,       minor,             "minor",             REQUIRED) \
	row(U64,       rate,              "rate",              OPTIONAL)

#define SPEC_BLOCK_IO(row) \
	row(OPT_U32,   weight,            "weight",            OPTIONAL) \
	row(OPT_U32,   leaf_weight,       "leafWeight",        OPTIONAL) \
	row(LIST(spec_weight_device),   weight_device,    "weightDevice",            OPTIONAL) \
	row(LIST(spec_throttle_device), read_bps,         "throttleReadBpsDevice",   OPTIONAL) \
	row(LIST(spec_throttle_device), write_bps,        "throttleWriteBpsDevice",  OPTIONAL) \
	row(LIST(spec_throttle_device), read_iops,        "throttleReadIOPSDevice",  OPTIONAL) \
	row(LIST(spec_throttle_device), write_iops,       "throttleWriteIOPSDevice", OPTIONAL)

#define SPEC_HUGEPAGE_LIMIT(row) \
	row(STR,       page_size,         "pageSize",          REQUIRED) \
	row(U64,       limit,             "limit",             REQUIRED)

#define SPEC_PRIORITY(row) \
	row(STR,       name,              "name",              REQUIRED) \
	row(U32,       priority,          "priority",          REQUIRED)

#define SPEC_NETWORK(row) \
	row(OPT_U32,   class_id,          "classID",           OPTIONAL) \
	row(LIST(spec_priority), priorities, "priorities",     OPTIONAL)

#define SPEC_RDMA(row) \
	row(OPT_U32,   handles,           "hcaHandles",        OPTIONAL) \
	row(OPT_U32,   objects,           "hcaObjects",        OPTIONAL)

#define SPEC_RESOURCES(row) \
	row(LIST(spec_device_rule), devices, "devices",        OPTIONAL) \
	row(SUB(spec_memory), memory,     "memory",            OPTIONAL) \
	row(SUB(spec_cpu), cpu,           "cpu",               OPTIONAL) \
	row(SUB(spec_pids), pids,         "pids",              OPTIONAL) \
	row(SUB(spec_block_io), block_io, "blockIO",           OPTIONAL) \
	row(LIST(spec_hugepage_limit), hugepage_limits, "hugepageLimits", OPTIONAL) \
	row(SUB(spec_network), network,   "network",           OPTIONAL) \
	row(SUBS(spec_rdma), rdma,        "rdma",              OPTIONAL) \
	row(MAP,       unified,           "unified",           OPTIONAL)

#define SPEC_SYSCALL_ARG(row) \
	row(U32,       index,             "index",             REQUIRED) \
	row(U64,       value,             "value",             REQUIRED) \
	row(U64,       value_two,         "valueTwo",          OPTIONAL) \
	row(NAME(seccomp_op_names), op,   "op",                REQUIRED)

#define SPEC_SYSCALL(row) \
	row(STRS,      names,             "names",             REQUIRED) \
	row(NAME(seccomp_action_names), action, "action",      REQUIRED) \
	row(OPT_U32,   errno_ret,         "errnoRet",          OPTIONAL) \
	row(LIST(spec_syscall_arg), args, "args",              OPTIONAL)

#define SPEC_SECCOMP(row) \
	row(NAME(seccomp_action_names), default_action, "defaultAction", REQUIRED) \
	row(OPT_U32,   default_errno_ret, "defaultErrnoRet",   OPTIONAL) \
	row(STRS,      architectures,     "architectures",     OPTIONAL) \
	row(MASK(seccomp_flag_names), flags, "flags",          OPTIONAL) \
	row(STR,       listener_path,     "listenerPath",      OPTIONAL) \
	row(STR,       listener_metadata, "listenerMetadata",  OPTIONAL) \
	row(LIST(spec_syscall), syscalls, "syscalls",          OPTIONAL)

#define SPEC_INTEL_RDT(row) \
	row(STR,       clos_id,           "closID",            OPTIONAL) \
	row(STRS,      schemata,          "schemata",          OPTIONAL) \
	row(STR,       l3_cache_schema,   "l3CacheSchema",     OPTIONAL) \
	row(STR,       mem_bw_schema,     "memBwSchema",       OPTIONAL) \
	row(BOOL,      enable_monitoring, "enableMonitoring",  OPTIONAL)

#define SPEC_MEMORY_POLICY(row) \
	row(NAME(memory_policy_names), mode, "mode",           REQUIRED) \
	row(STR,       nodes,             "nodes",             OPTIONAL) \
	row(MASK(memory_flag_names), flags, "flags",           OPTIONAL)

#define SPEC_PERSONALITY(row) \
	row(NAME(personality_names), domain, "domain",         REQUIRED) \
	row(STRS,      flags,             "flags",             OPTIONAL)

#define SPEC_TIME_OFFSET(row) \
	row(I64,       secs,              "secs",              OPTIONAL) \
	row(U32,       nanosecs,          "nanosecs",          OPTIONAL)

#define SPEC_LINUX(row) \
	row(LIST(spec_namespace), namespaces, "namespaces",    OPTIONAL) \
	row(LIST(spec_id_map), uid_mappings, "uidMappings",    OPTIONAL) \
	row(LIST(spec_id_map), gid_mappings, "gidMappings",    OPTIONAL) \
	row(SUBS(spec_time_offset), time_offsets, "timeOffsets", OPTIONAL) \
	row(LIST(spec_device), devices,   "devices",           OPTIONAL) \
	row(SUBS(spec_net_device), net_devices, "netDevices",  OPTIONAL) \
	row(STR,       cgroups_path,      "cgroupsPath",       OPTIONAL) \
	row(SUB(spec_resources), resources, "resources",       OPTIONAL) \
	row(SUB(spec_intel_rdt), intel_rdt, "intelRdt",        OPTIONAL) \
	row(SUB(spec_memory_policy), memory_policy, "memoryPolicy", OPTIONAL) \
	row(MAP,       sysctl,            "sysctl",            OPTIONAL) \
	row(SUB(spec_seccomp), seccomp,   "seccomp",           OPTIONAL) \
	row(NAME(propagation_names), rootfs_propagation, "rootfsPropagation", OPTIONAL) \
	row(STRS,      masked_paths,      "maskedPaths",       OPTIONAL) \
	row(STRS,      readonly_paths,    "readonlyPaths",     OPTIONAL) \
	row(STR,       mount_label,       "mountLabel",        OPTIONAL) \
	row(SUB(spec_personality), personality, "personality", OPTIONAL)

#define SPEC_HYPERVISOR(row) \
	row(STR,       path,              "path",              REQUIRED) \
	row(STRS,      parameters,        "parameters",        OPTIONAL)

#define SPEC_KERNEL(row) \
	row(STR,       path,              "path",              REQUIRED) \
	row(STRS,      parameters,        "parameters",        OPTIONAL) \
	row(STR,       initrd,            "initrd",            OPTIONAL)

#define SPEC_VM_IMAGE(row) \
	row(STR,       path,              "path",              REQUIRED) \
	row(NAME(image_format_names), format, "format",        REQUIRED)

#define SPEC_IO_MEM(row) \
	row(OPT_U64,   first_gfn,         "firstGFN",          OPTIONAL) \
	row(U64,       first_mfn,         "firstMFN",          REQUIRED) \
	row(U64,       count,             "nrMFNs",            REQUIRED)

#define SPEC_HARDWARE(row) \
	row(STR,       device_tree,       "deviceTree",        OPTIONAL) \
	row(OPT_U32,   vcpus,             "vcpus",             OPTIONAL) \
	row(OPT_U64,   memory,            "memory",            OPTIONAL) \
	row(STRS,      dt_devs,           "dtdevs",            OPTIONAL) \
	row(LIST(spec_io_mem), io_mems,   "iomems",            OPTIONAL) \
	row(U32S,      irqs,              "irqs",              OPTIONAL)

#define SPEC_VM(row) \
	row(SUB(spec_hypervisor), hypervisor, "hypervisor",    OPTIONAL) \
	row(SUB(spec_kernel), kernel,     "kernel",            REQUIRED) \
	row(SUB(spec_vm_image), image,    "image",             OPTIONAL) \
	row(SUB(spec_hardware), hardware, "hwConfig",          OPTIONAL)

#define SPEC_CONFIG(row) \
	row(STR,       oci_version,       "ociVersion",        REQUIRED) \
	row(SUB(spec_process), process,   "process",           OPTIONAL) \
	row(SUB(spec_root), root,         "root",              OPTIONAL) \
	row(STR,       hostname,          "hostname",          OPTIONAL) \
	row(STR,       domainname,        "domainname",        OPTIONAL) \
	row(LIST(spec_mount), mounts,     "mounts",            OPTIONAL) \
	row(SUB(spec_hooks), hooks,       "hooks",             OPTIONAL) \
	row(MAP,       annotations,       "annotations",       OPTIONAL) \
	row(SUB(spec_linux), linux_,      "linux",             OPTIONAL) \
	row(SUB(spec_vm), vm,             "vm",                OPTIONAL)

SHAPE_STRUCT(spec_root,            SPEC_ROOT)
SHAPE_STRUCT(spec_id_map,          SPEC_ID_MAP)
SHAPE_STRUCT(spec_mount,           SPEC_MOUNT)
SHAPE_STRUCT(spec_console_size,    SPEC_CONSOLE_SIZE)
SHAPE_STRUCT(spec_user,            SPEC_USER)
SHAPE_STRUCT(spec_capabilities,    SPEC_CAPABILITIES)
SHAPE_STRUCT(spec_rlimit,          SPEC_RLIMIT)
SHAPE_STRUCT(spec_scheduler,       SPEC_SCHEDULER)
SHAPE_STRUCT(spec_io_priority,     SPEC_IO_PRIORITY)
SHAPE_STRUCT(spec_affinity,        SPEC_AFFINITY)
SHAPE_STRUCT(spec_process,         SPEC_PROCESS)
SHAPE_STRUCT(spec_hook,            SPEC_HOOK)
SHAPE_STRUCT(spec_hooks,           SPEC_HOOKS)
SHAPE_STRUCT(spec_namespace,       SPEC_NAMESPACE)
SHAPE_STRUCT(spec_device,          SPEC_DEVICE)
SHAPE_STRUCT_KEYED(spec_net_device, SPEC_NET_DEVICE)
SHAPE_STRUCT(spec_device_rule,     SPEC_DEVICE_RULE)
SHAPE_STRUCT(spec_memory,          SPEC_MEMORY)
SHAPE_STRUCT(spec_cpu,             SPEC_CPU)
SHAPE_STRUCT(spec_pids,            SPEC_PIDS)
SHAPE_STRUCT(spec_weight_device,   SPEC_WEIGHT_DEVICE)
SHAPE_STRUCT(spec_throttle_device, SPEC_THROTTLE_DEVICE)
SHAPE_STRUCT(spec_block_io,        SPEC_BLOCK_IO)
SHAPE_STRUCT(spec_hugepage_limit,  SPEC_HUGEPAGE_LIMIT)
SHAPE_STRUCT(spec_priority,        SPEC_PRIORITY)
SHAPE_STRUCT(spec_network,         SPEC_NETWORK)
SHAPE_STRUCT_KEYED(spec_rdma,      SPEC_RDMA)
SHAPE_STRUCT(spec_resources,       SPEC_RESOURCES)
SHAPE_STRUCT(spec_syscall_arg,     SPEC_SYSCALL_ARG)
SHAPE_STRUCT(spec_syscall,         SPEC_SYSCALL)
SHAPE_STRUCT(spec_seccomp,         SPEC_SECCOMP)
SHAPE_STRUCT(spec_intel_rdt,       SPEC_INTEL_RDT)
SHAPE_STRUCT(spec_memory_policy,   SPEC_MEMORY_POLICY)
SHAPE_STRUCT(spec_personality,     SPEC_PERSONALITY)
SHAPE_STRUCT_KEYED(spec_time_offset, SPEC_TIME_OFFSET)
SHAPE_STRUCT(spec_linux,           SPEC_LINUX)
SHAPE_STRUCT(spec_hypervisor,      SPEC_HYPERVISOR)
SHAPE_STRUCT(spec_kernel,          SPEC_KERNEL)
SHAPE_STRUCT(spec_vm_image,        SPEC_VM_IMAGE)
SHAPE_STRUCT(spec_io_mem,          SPEC_IO_MEM)
SHAPE_STRUCT(spec_hardware,        SPEC_HARDWARE)
SHAPE_STRUCT(spec_vm,              SPEC_VM)
SHAPE_STRUCT(spec,                 SPEC_CONFIG)
/* clang-format on */

/* Reads and checks a config.json. Sections that are absent and that every container has
 * (process.user, linux, linux.resources) are there afterwards, empty, so that nobody need ask. The
 * error names the JSON path. */
must_use error *spec_read(const char *text, size_t len, struct arena *arena,
			  const struct spec **out);
must_use error *spec_read_file(int dir, const char *path, struct arena *arena,
			       const struct spec **out);
/* The process section alone, as `exec --process` takes it. */
must_use error *spec_read_process(const char *text, size_t len, struct arena *arena,
				  struct spec_process **out);
must_use error *spec_read_resources(const char *text, size_t len, struct arena *arena,
				    struct spec_resources **out);
/* The value of an annotation, or NULL. */
const char *spec_annotation(const struct spec *spec, const char *key);
/* The namespace of that type, or NULL; the last word for the `when` of many steps. */
const struct spec_namespace *spec_namespace(const struct spec *spec, enum namespace_type type);

/* --- check.c: rules between fields, one row each --- */

must_use error *spec_check(const struct spec *spec);
must_use error *spec_check_process(const struct spec_process *process);

/* --- profile.c: seccomp for containers made from images --- */

/* capabilities: the bounding set, as bits; some calls go with them. */
must_use error *spec_default_seccomp(uint64_t capabilities, struct arena *arena,
				     struct spec_seccomp **out);

/* --- container.c: a config.json for who has an image and no config.json --- */

struct container_wishes {
	const char *id; /* begins the hostname, unless that is given */
	const char *hostname;
	const char *rootfs; /* an empty folder: the layers are mounted over it */
	struct texts lower; /* folders of the layers, topmost first */
	const char *upper, *work;
	bool userxattr; /* overlayfs in a user namespace */
	struct texts args, env;
	const char *cwd;
	struct spec_user user;
	struct texts volumes;           /* paths in the container that get a tmpfs of their own */
	struct texts binds;             /* SOURCE:TARGET[:OPTION,...] */
	struct texts tmpfs;             /* TARGET[:OPTION,...] */
	struct texts cap_add, cap_drop; /* CAP_NAME, NAME or ALL */
	struct pairs annotations;
	bool terminal, read_only, host_network, no_new_privileges;
	struct opt_i64 memory;    /* bytes */
	struct opt_i64 shm_size;  /* of /dev/shm; bytes */
	struct opt_i64 cpu_quota; /* microseconds of each 100 ms */
	struct opt_i64 pids;
	const struct spec_id_map *uid_mappings,
		*gid_mappings; /* of a new user namespace; NULL: none */
	size_t n_uid_mappings, n_gid_mappings;
};

/* What podman and docker give: their capabilities, a seccomp profile, masked paths, a private /dev.
 * Texts of wishes are not copied: they must live as long as the arena. */
must_use error *spec_container(const struct container_wishes *wishes, struct arena *arena,
			       struct spec **out);

/* --- example.c: what `skiff spec` prints --- */

must_use error *spec_example(bool rootless, uint32_t uid, uint32_t gid, struct arena *arena,
			     struct spec **out);
void spec_write(const struct spec *spec, struct json *to);
