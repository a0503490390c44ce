/* skiff-image: images and their store. A program of its own, so that the libraries it needs cost
 * nothing where no image is touched. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "image/store.h"
#include "image/verb.h"

static const struct verb *const verbs[] = {
	&verb_import, &verb_ls,     &verb_inspect, &verb_unpack,  &verb_rm,      &verb_gc,
	&verb_export, &verb_verify, &verb_mount,   &verb_prepare, &verb_release,
};

static const struct option_row common[] = { OPTIONS_COMMON };

static void print_help(void)
{
	printf("usage: skiff image VERB ...\n\n"
	       "A SOURCE is oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF], "
	       "rootfs:FILE|DIR,\n"
	       "or a path whose kind is found out; FILE may be - for standard input.\n\nverbs:\n");
	for (size_t i = 0; i < COUNT(verbs); i++)
		printf("  %-8s %-36s %s\n", verbs[i]->name, verbs[i]->args, verbs[i]->summary);
	printf("\noptions of all verbs:\n");
	options_print(common, COUNT(common));
}

static void print_verb_help(const struct verb *v)
{
	printf("usage: skiff image %s [OPTION...] %s\n\n%s\n\noptions:\n", v->name, v->args,
	       v->summary);
	options_print(v->options, v->n_options);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static error *open_store(struct request *r)
{
	auto_free char *path = NULL;

	try(store_path(r->root, r->rootless->n_uid_maps > 0, &path));
	return store_open(path, r->rootless->is_rootless, &r->store);
}

static error *run_verb(const struct verb *v, struct request *r, struct rootless *rootless, int argc,
		       char **argv)
{
	char **words;
	int n;
	bool help = false;

	try(options_parse(v->options, v->n_options, false, argc, argv, r, &words, &n, &help));
	if (help) {
		print_verb_help(v);
		return NULL;
	}
	if (n < v->min || (v->max >= 0 && n > v->max))
		return error_said(EINVAL, "want: skiff image %s %s", v->name, v->args);
	try(rootless_enter(rootless));
	r->rootless = rootless;
	try(arena_new(&r->arena));
	if (v->needs_store)
		try(open_store(r));
	error *e = v->run(r, n, words);
	store_free(r->store);
	arena_free(r->arena);
	return e;
}

/* A closed 0, 1 or 2 would be taken by the next file that is opened. */
static void settle_process(void)
{
	struct rlimit files;

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(1);
	/* each level of a deep tree and each layer takes a descriptor while it is walked */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(0); /* modes come from archives */
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct request request = { .bundle = -1, .above_bundle = -1 };
	struct rootless rootless = { 0 };
	char **words = NULL;
	int n = 0;
	bool help = false;

	settle_process();
	auto_error error *e = log_open(NULL, LOG_TEXT, LOG_LEVEL_WARNING);
	if (!e)
		e = options_parse(common, COUNT(common), true, argc, argv, &request, &words, &n,
				  &help);
	if (!e && (help || n == 0 || strcmp(words[0], "help") == 0)) {
		print_help();
		return 0;
	}
	const struct verb *v = e ? NULL : find_verb(words[0]);
	if (!e && !v)
		e = error_said(EINVAL, "unknown verb '%s': see skiff image help", words[0]);
	if (!e)
		e = run_verb(v, &request, &rootless, n, words);
	if (!e && fflush(stdout) != 0)
		e = error_errno("write to standard output");
	if (!e)
		return request.exit_code;
	auto_error error *full =
		error_wrap(take_ptr(&e), "image%s%s", v ? " " : "", v ? v->name : "");
	log_error("image", full);
	return 1;
}
