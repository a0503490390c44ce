/* config.json: what is read, what is refused and with which words; what is written reads back the
 * same. */
#include "spec.h"

#include "../check.h"

static struct arena *arena;

/* ' for " */
static error *read_text(const char *text, const struct spec **out)
{
	char *json = strdup(text);

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	error *e = spec_read(json, strlen(json), arena, out);
	free(json);
	return e;
}

#define ROOT "'ociVersion':'1.0.2','root':{'path':'r'}"
#define NS   "'linux':{'namespaces':[{'type':'mount'}"
#define GOOD "{" ROOT "," NS "]}"

static const struct {
	const char *text;
	const char *message;
} refused[] = {
	{ "", "not JSON" },
	{ "{", "not JSON" },
	{ "[]", "want an object" },
	{ "7", "want an object" },
	{ "{}", ".ociVersion: is required" },
	{ "{'ociVersion':2}", ".ociVersion: want a string" },
	{ "{'ociVersion':'2.0'}", ".ociVersion: '2.0'" },
	{ "{'ociVersion':'1.0.2'}", ".root is required" },
	{ "{" ROOT "}", ".linux.namespaces: the mount namespace is missing" },
	{ "{" ROOT "," NS ",{'type':'mount'}]}}", ".linux.namespaces[1]: a second 'mount'" },
	{ "{" ROOT "," NS ",{'type':'nope'}]}}",
	  ".linux.namespaces[1].type: 'nope' is not a namespace type" },
	{ "{" ROOT "," NS ",{'type':'pid','path':'x'}]}}",
	  ".linux.namespaces[1].path: 'x' is not absolute" },
	{ "{" ROOT ",'process':{'cwd':'/','args':['a',1]}}", ".process.args[1]: want a string" },
	{ "{" ROOT ",'process':{'cwd':'/','args':'a'}}",
	  ".process.args: want an array of strings" },
	{ "{" ROOT ",'process':{}}", ".process.cwd: is required" },
	{ "{" ROOT ",'process':{'cwd':'/','user':{'uid':-1}}}",
	  ".process.user.uid: want a number from 0" },
	{ "{" ROOT ",'process':{'cwd':'/','user':{'uid':4294967296}}}",
	  ".process.user.uid: want a number" },
	{ "{" ROOT ",'process':{'cwd':'/','user':{'uid':1.5}}}",
	  ".process.user.uid: want a number" },
	{ "{" ROOT ",'process':{'cwd':'/','terminal':'yes'}}",
	  ".process.terminal: want true or false" },
	{ "{" ROOT ",'process':{'cwd':'/','rlimits':[{'type':'RLIMIT_X','soft':1,'hard':1}]}}",
	  ".process.rlimits[0].type: 'RLIMIT_X' is not a resource limit" },
	{ "{" ROOT "," NS "]},'process':{'cwd':'x'}}", ".process.cwd: 'x' is not absolute" },
	{ "{" ROOT "," NS "]},'hostname':'x'}", ".hostname: needs a uts namespace" },
	{ "{" ROOT "," NS "],'sysctl':{'kernel.pid_max':'1'}}}", ".linux.sysctl.kernel.pid_max" },
	{ "{" ROOT "," NS "],'sysctl':{'net.ipv4.ip_forward':'1'}}}", "needs a network namespace" },
	{ "{" ROOT "," NS "],'sysctl':{'net.a':1}}}", ".linux.sysctl.net.a: want a string" },
	{ "{" ROOT "," NS "],'uidMappings':[{'containerID':0,'hostID':0,'size':1}]}}",
	  ".linux.uidMappings: needs a new user namespace" },
	{ "{" ROOT "," NS "],'resources':{'unified':{'../x':'1'}}}}",
	  ".linux.resources.unified.../x" },
	{ "{" ROOT "," NS "],'seccomp':{'defaultAction':'SCMP_ACT_NOTIFY'}}}",
	  ".linux.seccomp.defaultAction" },
	{ "{" ROOT ",'annotations':{'a':'\\u0000'}}", "must not hold a NUL byte" },
	{ "{" ROOT ",'mounts':[{'destination':''}]," NS "]}}", ".mounts[0].destination: is empty" },
	{ "{" ROOT ",'vm':{}," NS "]}}", ".vm.kernel: is required" },
	{ "{" ROOT ",'vm':{'kernel':{'path':'k'}}," NS "]}}",
	  ".vm.kernel.path: 'k' is not absolute" },
	{ "{" ROOT ",'hooks':{'prestart':[{'path':'x'}]}," NS "]}}", ".hooks.prestart[0].path" },
	{ "{" ROOT ",'hooks':{'poststop':[{'path':'/x','timeout':0}]}," NS "]}}",
	  "timeout: want more than 0" },
};

static void bad_input_is_refused(void)
{
	const struct spec *spec;

	for (size_t i = 0; i < COUNT(refused); i++)
		CHECK_FAILS(read_text(refused[i].text, &spec), EINVAL, refused[i].message);
}

static void what_is_unknown_is_skipped(void)
{
	const struct spec *spec;

	CHECK_FINE(read_text("{" ROOT ",'x':{'a':[{'b':[1,2,{}]}],'c':null},'hostname':null," NS
			     "],'y':[[[]]]},"
			     "'windows':{'z':1}}",
			     &spec));
	CHECK(!spec->hostname);
	CHECK(spec->linux_->resources && spec->hooks && !spec->process);
}

static void deep_nesting_is_refused(void)
{
	enum { DEPTH = 100000 };
	char *text = malloc(DEPTH + 32);
	const struct spec *spec;

	strcpy(text, "{\"x\":");
	memset(text + 5, '[', DEPTH);
	text[DEPTH + 5] = '\0';
	CHECK_FAILS(spec_read(text, strlen(text), arena, &spec), EINVAL,
		    "nested more than 64 deep");
	free(text);
}

static void not_utf8_is_refused(void)
{
	static const char text[] = "{\"ociVersion\":\"\xff\xfe\"}";
	const struct spec *spec;

	CHECK_FAILS(spec_read(text, sizeof(text) - 1, arena, &spec), EINVAL, "not JSON");
}

static char *print(const struct spec *spec)
{
	struct json *j;
	const char *text;

	CHECK_FINE(json_new(JSON_INDENTED, &j));
	spec_write(spec, j);
	CHECK_FINE(json_finish(j, &text, NULL));
	char *copy = strdup(text);
	json_free(j);
	return copy;
}

static void the_example_reads_back(void)
{
	struct spec *example;
	const struct spec *again;

	for (int rootless = 0; rootless < 2; rootless++) {
		CHECK_FINE(spec_example(rootless, 1000, 1000, arena, &example));
		char *first = print(example);
		CHECK_FINE(spec_read(first, strlen(first), arena, &again));
		/* sections that were absent are there now, and empty */
		((struct spec *)again)->hooks = NULL;
		if (rootless)
			again->linux_->resources = NULL;
		char *second = print(again);
		CHECK_TEXT(second, first);
		free(first);
		free(second);
	}
}

static void an_empty_list_is_not_an_absent_one(void)
{
	const struct spec *spec;

	CHECK_FINE(read_text("{" ROOT ",'process':{'cwd':'/','env':[]}," NS "]}}", &spec));
	CHECK(spec->process->env.v && !spec->process->env.n && !spec->process->args.v);
	CHECK_FAILS(read_text("{" ROOT ",'process':{'cwd':'/','args':[]}," NS "]}}", &spec), EINVAL,
		    ".args");
}

static void unknown_capabilities_are_only_a_warning(void)
{
	const struct spec *spec;

	CHECK_FINE(read_text(
		"{" ROOT
		",'process':{'cwd':'/','capabilities':{'bounding':['CAP_KILL','CAP_X']}}," NS "]}}",
		&spec));
	CHECK(spec->process->capabilities->bounding.bits == 1ULL << 5);
}

int main(void)
{
	CHECK_FINE(arena_new(&arena));
	bad_input_is_refused();
	what_is_unknown_is_skipped();
	deep_nesting_is_refused();
	not_utf8_is_refused();
	the_example_reads_back();
	an_empty_list_is_not_an_absent_one();
	unknown_capabilities_are_only_a_warning();
	arena_free(arena);
	return 0;
}
