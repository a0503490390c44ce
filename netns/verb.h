/* A verb of skiff-net is a row: its name, its options, what it does. */
#pragma once

#include "base/options.h"

struct request {
	const char *root; /* the folder of states */
	const char *format;
	const char *device;
	struct strings subnets, gateways;
	bool six;
	uint32_t mtu;
};

struct verb {
	const char *name;
	const char *args;
	const char *summary; /* NULL: for skiff alone */
	const struct option_row *options;
	size_t n_options;
	int min, max; /* words; max -1: any */
	error *(*run)(const struct request *r, int n, char **words);
};

extern const struct verb verb_create, verb_ls, verb_inspect, verb_rm, verb_prune, verb_attach,
	verb_detach, verb_move, verb_return, verb_user, verb_lead, verb_unlead;

#define REQUEST(member)    offsetof(struct request, member)
#define VERB_OPTIONS(rows) .options = (rows), .n_options = COUNT(rows)
