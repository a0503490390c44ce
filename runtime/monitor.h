/* The monitor of a sandbox: the container's first process on the host. It starts the machine, talks
 * to the agent, carries standard streams, and does what commands ask for. Everything it waits for
 * is in one loop. */
#pragma once

#include <stdbool.h>

#include "base/loop.h"
#include "runtime/life.h"
#include "runtime/stream.h"
#include "runtime/vm.h"
#include "runtime/wire.h"

enum { CONSOLE_TAIL = 4096 };

/* A program in the guest. */
struct program {
	struct program *next;
	uint32_t id;
	bool ended;
	int status; /* as of wait(2) */
	struct stream streams[3];
	struct client *client; /* told of its end, or NULL */
};

/* A command that has connected. */
struct client {
	struct client *next;
	struct monitor *monitor;
	struct watch watch;
	uint32_t program;  /* that it has started; 0: none */
	bool ends_it;      /* the program is killed when the connection ends */
	bool wants_counts; /* of the machine */
};

/* A request that the agent has not answered yet. */
struct pending {
	struct pending *next;
	uint32_t seq;
	struct client *client; /* who wants the reply; NULL: the monitor, or nobody any more */
	uint32_t program;      /* EXEC: which one; 0: none */
};

struct monitor {
	struct life *life;
	struct loop loop;
	struct wire wire;
	struct watch port, signals, console, commands, start, caller, counts, broker;
	pid_t machine, file_server;
	const volatile struct file_counts *files; /* the file server's; NULL: it does not count */
	int proc;                                 /* a procfs for the monitor's own root */
	struct program *programs;
	struct client *clients;
	struct pending *pending;
	uint32_t seq;     /* of the last request */
	uint32_t asked;   /* of the monitor's own that is under way */
	uint32_t last_id; /* of the last program */

	/* what the loop has come to know */
	bool alone;        /* no program is left */
	bool met;          /* the agent said HELLO */
	bool answered;     /* the monitor's own request */
	error *answer;     /* its outcome */
	bool start_called; /* `start` has connected: fd[FD_BATON] is its baton */
	bool finished;     /* the container's first program has ended, its output is delivered */
	int status;        /* as of wait(2) */
	bool caller_gone;  /* while it still waits for us */
	bool machine_ended;
	char tail[CONSOLE_TAIL + 1]; /* the last that the guest's kernel has printed */
	size_t tail_len;
};

/* One for the whole process: steps have only struct life. */
struct monitor *monitor_of(struct life *l);

/* monitor_loop.c */
must_use error *monitor_watch(struct monitor *m);
/* Turns the loop until *flag. The machine's end before that is an error that ends with the tail of
 * its console. timeout_ms: -1, or after so long an error. */
must_use error *monitor_until(struct monitor *m, const bool *flag, int timeout_ms,
			      const char *what);
/* Sends a request, and waits for its reply. */
must_use error *monitor_ask(struct monitor *m, enum wire_type type, uint32_t id, uint32_t arg,
			    const void *payload, size_t len);
/* Sends a request for a client, or (NULL) for nobody. */
must_use error *monitor_pass_on(struct monitor *m, struct client *client,
				const struct wire_head *head, const void *payload);

/* monitor_program.c */
struct program *program_find(struct monitor *m, uint32_t id);
/* Takes the descriptors (n is 3, or 1: a terminal). */
must_use error *program_new(struct monitor *m, uint32_t id, const int *fds, size_t n,
			    struct client *client, struct program **out);
void program_free(struct monitor *m, struct program *p);
must_use error *program_take(struct monitor *m, const struct wire_frame *f);
/* Tells of programs that have ended and whose last words are delivered. */
must_use error *programs_settle(struct monitor *m);

/* monitor_command.c */
must_use error *commands_watch(struct monitor *m);
must_use error *client_tell(struct client *c, const struct wire_head *head, const void *payload);
must_use error *client_refuse(struct client *c, int code, const char *why);
void client_free(struct client *c);

/* monitor_engine.c */
must_use error *engine_watch(struct monitor *m);
/* Asks the machine for its counts, for a client. */
must_use error *engine_count(struct client *c);
/* Tells a client what the file server has counted. */
must_use error *files_count(struct client *c);
