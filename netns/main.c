/* skiff-net: networks. A program of its own, so that the libraries it needs cost nothing where no
 * network is asked for. One line on standard error when it fails. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "netns/verb.h"

static const struct verb *const verbs[] = {
	&verb_create, &verb_ls,   &verb_inspect, &verb_rm,   &verb_prune, &verb_attach,
	&verb_detach, &verb_move, &verb_return,  &verb_user, &verb_lead,  &verb_unlead,
};

static const struct option_row common[] = {
	{ "root", 0, OPT_TEXT, REQUEST(root), "DIR", "the folder of states (/run/skiff)" },
};

static void print_help(void)
{
	printf("usage: skiff net VERB ...\n\n"
	       "A network is a bridge with subnets; containers come to it with skiff run --net "
	       "bridge:NAME.\nThe one named \"bridge\" is made when it is first used.\n\nverbs:\n");
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (verbs[i]->summary)
			printf("  %-8s %-12s %s\n", verbs[i]->name, verbs[i]->args,
			       verbs[i]->summary);
}

static void print_verb_help(const struct verb *v)
{
	printf("usage: skiff net %s%s %s\n\n%s\n", v->name, v->n_options ? " [OPTION...]" : "",
	       v->args, v->summary ? v->summary : "for skiff alone");
	if (v->n_options)
		printf("\noptions:\n");
	options_print(v->options, v->n_options);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static error *run_verb(const struct verb *v, struct request *r, int argc, char **argv)
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
		return error_said(EINVAL, "want: skiff net %s %s", v->name, v->args);
	return v->run(r, n, words);
}

/* A closed 0, 1 or 2 would be taken by the next file that is opened. */
static void settle_process(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(1);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct request request = { .root = "/run/skiff" };
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
		e = error_said(EINVAL, "unknown verb '%s': see skiff net help", words[0]);
	if (!e)
		e = run_verb(v, &request, n, words);
	if (!e && fflush(stdout) != 0)
		e = error_errno("write to standard output");
	if (!e)
		return 0;
	/* skiff says itself what it was about when it runs one of its own verbs */
	if (v && !v->summary) {
		fprintf(stderr, "%s\n", error_message(e));
		return 1;
	}
	auto_error error *full =
		error_wrap(take_ptr(&e), "net%s%s", v ? " " : "", v ? v->name : "");
	log_error("net", full);
	return 1;
}
