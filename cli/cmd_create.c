/* create, run and explain: what takes a bundle; and run --image, which takes an image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/path.h"
#include "cli/command.h"

struct values {
	struct container_options o;
	const char *bundle;
	const char *name;
	bool no_subreaper;
	/* with --image */
	struct image_options image;
	struct strings env, env_files, binds, tmpfs, cap_add, cap_drop;
	struct strings ports, ips, dns, hosts;
	const char *memory, *cpus, *pids, *shm_size;
	bool interactive;
	/* with --sandbox */
	struct strings vm_parameters;
	int64_t vm_memory;
};

#define AT(member) offsetof(struct values, member)
#define BUNDLE                                                                                     \
	{                                                                                          \
		"bundle", 'b', OPT_TEXT, AT(bundle), "DIR", "the bundle's folder (default: here)"  \
	}
#define CONFIG                                                                                     \
	{                                                                                          \
		"config", 'f', OPT_TEXT, AT(o.config), "FILE",                                     \
			"instead of the bundle's config.json"                                      \
	}
#define NAME                                                                                       \
	{                                                                                          \
		"name", 0, OPT_TEXT, AT(name), "ID",                                               \
			"the container's id, where the bundle is the argument"                     \
	}
/* clang-format off */
#define MACHINE \
	{ "sandbox",        0, OPT_TEXT, AT(o.sandbox),        "ENGINE", "in a machine of its own: kvm, qemu, auto; or none" }, \
	{ "vm-vcpus",       0, OPT_U32,  AT(o.vm.vcpus),       "N",      "sandbox: processors" }, \
	{ "vm-memory",      0, OPT_BYTES, AT(vm_memory),       "BYTES",  "sandbox: the guest's memory, as 512m" }, \
	{ "vm-kernel",      0, OPT_TEXT, AT(o.vm.kernel),      "FILE",   "sandbox: its kernel, instead of the one that was fetched" }, \
	{ "vm-parameter",   0, OPT_MANY, AT(vm_parameters),    "TEXT",   "sandbox: one more of the kernel's parameters" }, \
	{ "vm-initrd",      0, OPT_TEXT, AT(o.vm.initrd),      "FILE",   "sandbox: an initramfs that comes before skiff's own" }, \
	{ "vm-image",       0, OPT_TEXT, AT(o.vm.image),       "FILE",   "sandbox: a disk with the file system of the guest's system" }, \
	{ "vm-vsock",       0, OPT_TEXT, AT(o.vm.vsock),       "FOLDER", "sandbox: where the guest's AF_VSOCK and sockets of the host meet" }, \
	{ "vm-hypervisor",  0, OPT_TEXT, AT(o.vm.hypervisor),  "FILE",   "sandbox: the engine's program" }
#define COMMON \
	BUNDLE, CONFIG, NAME, MACHINE, \
	{ "console-socket", 0, OPT_TEXT, AT(o.console_socket), "SOCKET", "takes the terminal's master end" }, \
	{ "pid-file",       0, OPT_TEXT, AT(o.pid_file),       "FILE",   "takes the first process's id" }, \
	{ "pidfd-socket",   0, OPT_TEXT, AT(o.pidfd_socket),   "SOCKET", "takes a pidfd of the first process" }, \
	{ "preserve-fds",   0, OPT_U32,  AT(o.preserve_fds),   "N",      "keep descriptors 3 to 3+N-1 open" }, \
	{ "no-pivot",       0, OPT_FLAG, AT(o.no_pivot),       NULL,     "do without pivot_root: for an initial ramfs" }, \
	{ "no-new-keyring", 0, OPT_FLAG, AT(o.no_new_keyring), NULL,     "keep the caller's session keyring" }, \
	{ "net",            0, OPT_TEXT, AT(o.network.net),    "NET",    "none, host, bridge[:NAME], container:ID, ns:PATH, pasta, slirp4netns" }, \
	{ "publish",      'p', OPT_MANY, AT(ports),            "[IP:]HOST:CONTAINER[/udp]", "a port of the host leads into the container" }, \
	{ "ip",             0, OPT_MANY, AT(ips),              "IP",     "its address in the network; one of each family" }, \
	{ "mac",            0, OPT_TEXT, AT(o.network.mac),    "MAC",    "its hardware address" }, \
	{ "dns",            0, OPT_MANY, AT(dns),              "IP",     "a name server for /etc/resolv.conf, instead of the host's" }, \
	{ "add-host",       0, OPT_MANY, AT(hosts),            "NAME:IP", "a line of /etc/hosts; host-gateway is the host's own address" }, \
	{ "hostname",       0, OPT_TEXT, AT(o.network.hostname), "NAME", "its own name, instead of config.json's or, with --image, the id" }

static const struct option_row create_options[] = { COMMON };
static const struct option_row run_options[] = {
	COMMON,
	{ "detach",       'd', OPT_FLAG, AT(o.detach),     NULL, "do not wait for the container to end" },
	{ "keep",         0,   OPT_FLAG, AT(o.keep),       NULL, "do not delete it when it has ended" },
	{ "no-subreaper", 0,   OPT_FLAG, AT(no_subreaper), NULL, "accepted; orphans are always reaped" },
	{ "image",        0,   OPT_TEXT, AT(image.image),      "IMAGE",   "run an image; what follows -- is the command" },
	{ "rm",           0,   OPT_FLAG, AT(image.remove),     NULL,      "image: delete it, and what it wrote, when it has ended" },
	{ "tty",          't', OPT_FLAG, AT(image.terminal),   NULL,      "image: with a terminal" },
	{ "interactive",  'i', OPT_FLAG, AT(interactive),      NULL,      "image: accepted; standard input is always connected" },
	{ "env",          'e', OPT_MANY, AT(env),              "NAME[=VAL]", "image: one more variable" },
	{ "env-file",     0,   OPT_MANY, AT(env_files),        "FILE",    "image: variables, one on each line; # begins a remark" },
	{ "workdir",      'w', OPT_TEXT, AT(image.cwd),        "DIR",     "image: the working directory, which must be there" },
	{ "user",         'u', OPT_TEXT, AT(image.user),       "USER[:GROUP]", "image: who it is; names are the image's" },
	{ "entrypoint",   0,   OPT_TEXT, AT(image.entrypoint), "PROGRAM", "image: instead of its entrypoint and command; or a JSON array of words" },
	{ "volume",       'v', OPT_MANY, AT(binds),            "SRC:DST[:ro]", "image: mount a file or folder of the host (/SRC, ./SRC), or the volume of that name" },
	{ "tmpfs",          0, OPT_MANY, AT(tmpfs),            "DST[:OPT,...]", "image: a folder in memory, as /run or /tmp:size=64m" },
	{ "shm-size",     0,   OPT_TEXT, AT(shm_size),         "BYTES",   "image: the size of /dev/shm (64m)" },
	{ "read-only",    0,   OPT_FLAG, AT(image.read_only),  NULL,      "image: the root cannot be written, but for /run, /tmp and /var/tmp in memory" },
	{ "memory",       'm', OPT_TEXT, AT(memory),           "BYTES",   "image: memory limit, as 512m" },
	{ "cpus",         0,   OPT_TEXT, AT(cpus),             "N",       "image: processors' time, as 1.5" },
	{ "pids-limit",   0,   OPT_TEXT, AT(pids),             "N",       "image: number of processes; -1: no limit" },
	{ "cap-add",      0,   OPT_MANY, AT(cap_add),          "CAP",     "image: one more capability, or ALL" },
	{ "cap-drop",     0,   OPT_MANY, AT(cap_drop),         "CAP",     "image: one less, or ALL" },
	{ "no-new-privs", 0,   OPT_FLAG, AT(image.no_new_privileges), NULL, "image: it can never gain privileges" },
	{ "store",        0,   OPT_TEXT, AT(image.store),      "DIR",     "image: where images are kept" },
};
static const struct option_row explain_options[] = { BUNDLE, CONFIG };
/* clang-format on */
#undef AT

static error *made_up_id(char *out, size_t size)
{
	unsigned char random[6];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_errno("getrandom");
	snprintf(out, size, "%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2], random[3],
		 random[4], random[5]);
	return NULL;
}

static void settle_machine(struct values *v)
{
	if (!v->o.sandbox)
		v->o.sandbox = getenv("SKIFF_SANDBOX");
	v->o.vm.parameters = (struct texts){ v->vm_parameters.v, v->vm_parameters.n };
	v->o.vm.memory = (uint64_t)v->vm_memory;
}

static void settle_network(struct values *v)
{
	struct network_options *o = &v->o.network;

	o->ports = (struct texts){ v->ports.v, v->ports.n };
	o->ips = (struct texts){ v->ips.v, v->ips.n };
	o->dns = (struct texts){ v->dns.v, v->dns.n };
	o->hosts = (struct texts){ v->hosts.v, v->hosts.n };
}

/* An argument with a slash, or ".", is a bundle: ids never hold a slash. Otherwise it is the id. */
static error *settle(struct values *v, int n, char **words, char *made_up, size_t size)
{
	const char *word = n ? words[0] : NULL;
	bool is_bundle = word && (strchr(word, '/') || strcmp(word, ".") == 0);

	if (is_bundle && v->bundle)
		return error_said(EINVAL, "the bundle is given twice: %s and %s", v->bundle, word);
	if (is_bundle)
		v->bundle = word;
	else if (word && v->name)
		return error_said(EINVAL, "the id is given twice: %s and %s", v->name, word);
	settle_machine(v);
	settle_network(v);
	v->o.bundle = v->bundle ? v->bundle : ".";
	v->o.id = is_bundle || !word ? v->name : word;
	if (v->o.id)
		return NULL;
	if (!is_bundle)
		return error_said(EINVAL,
				  "want a bundle's folder (with a slash) or a container id");
	v->o.id = made_up;
	return made_up_id(made_up, size);
}

static error *create(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct values v = *(const struct values *)values;
	char made_up[16];

	(void)exit_code;
	try(settle(&v, n, words, made_up, sizeof(made_up)));
	return container_create(rt, &v.o);
}

/* "1.5" as microseconds of each 100 ms */
static error *parse_cpus(const char *text, struct opt_i64 *out)
{
	char *end;
	double cpus = strtod(text, &end);

	if (*end || end == text || cpus < 0.01 || cpus > 8192)
		return error_said(EINVAL, "--cpus: '%s' is not a number of processors such as 1.5",
				  text);
	*out = (struct opt_i64){ true, (int64_t)(cpus * 100000) };
	return NULL;
}

static error *settle_image(struct values *v, int n, char **words)
{
	struct image_options *o = &v->image;

	o->command = (struct texts){ words, (size_t)n };
	o->env = (struct texts){ v->env.v, v->env.n };
	o->env_files = (struct texts){ v->env_files.v, v->env_files.n };
	o->binds = (struct texts){ v->binds.v, v->binds.n };
	o->tmpfs = (struct texts){ v->tmpfs.v, v->tmpfs.n };
	o->cap_add = (struct texts){ v->cap_add.v, v->cap_add.n };
	o->cap_drop = (struct texts){ v->cap_drop.v, v->cap_drop.n };
	o->memory.set = v->memory != NULL;
	if (v->memory && (!text_to_bytes(v->memory, &o->memory.value) || o->memory.value == 0))
		return error_said(EINVAL, "--memory: '%s' is not a size such as 512m", v->memory);
	o->shm_size.set = v->shm_size != NULL;
	if (v->shm_size &&
	    (!text_to_bytes(v->shm_size, &o->shm_size.value) || o->shm_size.value <= 0))
		return error_said(EINVAL, "--shm-size: '%s' is not a size such as 64m",
				  v->shm_size);
	o->pids.set = v->pids != NULL;
	if (v->pids && !text_to_i64(v->pids, &o->pids.value))
		return error_said(EINVAL, "--pids-limit: '%s' is not a number", v->pids);
	if (v->cpus)
		try(parse_cpus(v->cpus, &o->cpu_quota));
	settle_network(v);
	o->hostname = v->o.network.hostname;
	o->host_network = text_same(v->o.network.net, "host");
	return NULL;
}

static error *run_image(struct runtime *rt, struct values *v, int n, char **words, char *made_up,
			size_t size, int *exit_code)
{
	if (v->bundle || v->o.config)
		return error_said(EINVAL, "--image and a bundle exclude each other");
	v->o.id = v->name;
	if (!v->o.id) {
		try(made_up_id(made_up, size));
		v->o.id = made_up;
	}
	try(settle_image(v, n, words));
	settle_machine(v);
	try(container_run_image(rt, &v->o, &v->image, exit_code));
	if (v->o.detach)
		puts(v->o.id);
	return NULL;
}

static error *run(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct values v = *(const struct values *)values;
	char made_up[16];

	if (v.image.image)
		return run_image(rt, &v, n, words, made_up, sizeof(made_up), exit_code);
	if (n > 1)
		return error_said(EINVAL,
				  "a command is for run --image: a bundle's is in its config.json");
	try(settle(&v, n, words, made_up, sizeof(made_up)));
	try(container_run(rt, &v.o, exit_code));
	if (v.o.detach && v.o.id == made_up)
		puts(made_up);
	return NULL;
}

static error *explain(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct values v = *(const struct values *)values;

	(void)exit_code;
	settle_machine(&v);
	v.o.bundle = n ? words[0] : v.bundle ? v.bundle : ".";
	v.o.id = "explained";
	return container_explain(rt, &v.o);
}

const struct command command_create = {
	.name = "create",
	.args = "ID | BUNDLE/",
	.summary = "make a container that waits for start",
	COMMAND_OPTIONS(create_options, struct values),
	.max = 1,
	.needs_root_dir = true,
	.run = create,
};
const struct command command_run = {
	.name = "run",
	.args = "BUNDLE/ | ID | --image IMAGE [-- COMMAND...]",
	.summary = "make a container, start it and wait for its end",
	COMMAND_OPTIONS(run_options, struct values),
	.max = -1,
	.in_order = true,
	.needs_root_dir = true,
	.run = run,
};
const struct command command_explain = {
	.name = "explain",
	.args = "BUNDLE/",
	.summary = "print the steps that a bundle would take",
	COMMAND_OPTIONS(explain_options, struct values),
	.max = 1,
	.run = explain,
};
