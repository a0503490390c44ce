/* Where cgroup version 2 is mounted and what it offers: the ground that the files of this folder
 * stand on. */
#pragma once

#include "cgroup.h"

struct cgroup {
	int mount;     /* O_PATH: the top of the hierarchy */
	int dir;       /* O_PATH: this cgroup */
	char *path;    /* from the top: "/skiff/ID" */
	unsigned made; /* how many folders, from the last one up, cgroup_create has made */
};

/* The path as one to give to openat(c->mount, ...): ".", "skiff/ID". */
const char *hierarchy_below(const char *path);
/* Opens the top (O_PATH); where it is mounted goes to *path unless that is NULL. */
must_use error *hierarchy_open(int *mount, char **path);

/* Whether a list such as that in cgroup.controllers has the word. */
bool has_word(const char *list, const char *word);
/* The number behind a key of a flat file ("frozen 1"); false when it has no such key. */
bool key_number(const char *text, const char *key, uint64_t *out);
/* Waits until cgroup.events says that number of that key ("populated", "frozen"). */
bool events_wait(const struct cgroup *c, const char *key, uint64_t value, int timeout_ms);
/* Why version 2 does not have the controller here, and what to do about it; malloc()ed or NULL. */
char *hierarchy_why_missing(const char *controller);

/* Makes the controllers that the limits need usable in c: on the way down from the top, wherever
 * one is missing. With figures also those that `events` reports on, as far as they are to be had.
 */
struct limits;
must_use error *controllers_enable(const struct cgroup *c, const struct limits *limits,
				   bool figures);
