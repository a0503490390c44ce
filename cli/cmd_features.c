/* features: what this program can do, in the specification's words, made from the tables that it
 * runs on. */
#include <stdio.h>
#include <sys/capability.h>

#include "base/json.h"
#include "base/rows.h"
#include "cli/command.h"
#include "runtime/mounts.h"
#include "spec.h"

static void list_names(struct json *j, const char *key, const struct names *names)
{
	json_array(j, key);
	for (size_t i = 0; i < names->n; i++)
		json_text(j, NULL, names->list[i].text);
	json_end(j);
}

static void list_hooks(struct json *j)
{
	json_array(j, "hooks");
	for (size_t i = 0; i < spec_hooks_shape.n; i++)
		json_text(j, NULL, spec_hooks_shape.rows[i].json);
	json_end(j);
}

static void add_word(const char *word, void *context)
{
	json_text(context, NULL, word);
}

/* What the running kernel knows, which may be less than the table. */
static void list_capabilities(struct json *j)
{
	json_array(j, "capabilities");
	for (size_t i = 0; i < capability_names.n; i++)
		if (capability_names.list[i].value < cap_max_bits())
			json_text(j, NULL, capability_names.list[i].text);
	json_end(j);
}

static void write_seccomp(struct json *j)
{
	json_object(j, "seccomp");
	json_bool(j, "enabled", true);
	list_names(j, "actions", &seccomp_action_names);
	list_names(j, "operators", &seccomp_op_names);
	list_names(j, "archs", &seccomp_arch_names);
	list_names(j, "knownFlags", &seccomp_flag_names);
	list_names(j, "supportedFlags", &seccomp_flag_names);
	json_end(j);
}

static void enabled(struct json *j, const char *key, bool value)
{
	json_object(j, key);
	json_bool(j, "enabled", value);
	json_end(j);
}

static void write_linux(struct json *j)
{
	json_object(j, "linux");
	list_names(j, "namespaces", &namespace_names);
	list_capabilities(j);
	json_object(j, "cgroup");
	json_bool(j, "v1", false);
	json_bool(j, "v2", true);
	json_bool(j, "systemd", false);
	json_bool(j, "systemdUser", false);
	json_bool(j, "rdma", true);
	json_end(j);
	write_seccomp(j);
	enabled(j, "apparmor", true);
	enabled(j, "selinux", true);
	json_object(j, "intelRdt");
	json_bool(j, "enabled", true);
	json_bool(j, "schemata", true);
	json_end(j);
	json_object(j, "memoryPolicy");
	list_names(j, "modes", &memory_policy_names);
	list_names(j, "flags", &memory_flag_names);
	json_end(j);
	json_object(j, "mountExtensions");
	enabled(j, "idmap", true);
	json_end(j);
	enabled(j, "netDevices", true);
	json_end(j);
}

static error *features(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	/* annotations by which whoever makes the image could reach the host, or choose its walls */
	static char *const unsafe[] = {
		"run.oci.hooks.stdout", "run.oci.hooks.stderr", "run.oci.keep_original_groups",
		"run.oci.handler",      "org.skiff.sandbox",    "org.skiff.sandbox.vsock"
	};
	auto_json struct json *j = NULL;
	const char *text;

	(void)rt, (void)values, (void)n, (void)words, (void)exit_code;
	try(json_new(JSON_INDENTED, &j));
	json_object(j, NULL);
	json_text(j, "ociVersionMin", "1.0.0");
	json_text(j, "ociVersionMax", SPEC_VERSION);
	list_hooks(j);
	json_array(j, "mountOptions");
	mounts_each_option(add_word, j);
	json_end(j);
	write_linux(j);
	json_object(j, "annotations");
	json_text(j, "org.skiff.version", VERSION);
	json_end(j);
	json_texts(j, "potentiallyUnsafeConfigAnnotations", unsafe, COUNT(unsafe));
	json_end(j);
	try(json_finish(j, &text, NULL));
	fputs(text, stdout);
	return NULL;
}

const struct command command_features = {
	.name = "features",
	.args = "",
	.summary = "print what this program can do, as JSON",
	.run = features,
};
