/* A network for who may make no bridge: pasta or slirp4netns carries packets over as an ordinary
 * program's connections. It serves one container and ends with it: a watcher, which is its parent,
 * waits for the container's first process, and the kernel kills it if the watcher dies first. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "netns.h"
#include "netns/publish.h"
#include "netns/verb.h"

#define INSIDE_NAME "eth0"
#define LOG_FILE    "network.log"
#define API_SOCKET  "slirp.sock"
#define API_OPTION  "--api-socket=slirp.sock"

enum { READY_MS = 10000, POLL_MS = 20 };

struct carrier {
	struct net_request request;
	struct ports ports;
	pid_t init;
	int init_pidfd;
	pid_t pid; /* of pasta or slirp4netns */
	int ready; /* slirp4netns tells here that it is */
	struct arena *arena;
	struct strings argv;
};

static error *add_words(struct carrier *c, const char *const *words)
{
	for (; *words; words++)
		try(strings_add(&c->argv, *words));
	return NULL;
}

static bool has_own_users(pid_t pid)
{
	char path[48];
	struct stat own;
	struct stat theirs;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat("/proc/self/ns/user", &own) == 0 && stat(path, &theirs) == 0 &&
	       own.st_ino != theirs.st_ino;
}

static error *slirp_words(struct carrier *c, const char *net, const char *users)
{
	const char *ready = arena_printf(c->arena, "--ready-fd=%d", c->ready);

	/* the host's own 127.0.0.1 is not the container's business */
	try(add_words(c, (const char *const[]){ NET_SLIRP, "--configure", "--mtu=65520",
						"--disable-host-loopback", API_OPTION,
						"--netns-type=path", ready, NULL }));
	if (users)
		try(strings_add(&c->argv, arena_printf(c->arena, "--userns-path=%s", users)));
	return add_words(c, (const char *const[]){ net, INSIDE_NAME, NULL });
}

/* "-t none", or "-t 8080:80,127.0.0.1/9090:90" for each protocol */
static error *pasta_ports(struct carrier *c, bool udp)
{
	char ip[IP_TEXT];
	const char *option = udp ? "-u" : "-t";
	bool any = false;

	for (size_t i = 0; i < c->ports.n; i++) {
		const struct port *p = &c->ports.v[i];
		if (p->udp != udp)
			continue;
		any = true;
		const char *word =
			arena_printf(c->arena, "%s%s%u:%u", p->ip.family ? ip_text(&p->ip, ip) : "",
				     p->ip.family ? "/" : "", p->host, p->container);
		try(add_words(c, (const char *const[]){ option, word, NULL }));
	}
	return any ? NULL : add_words(c, (const char *const[]){ option, "none", NULL });
}

static error *pasta_words(struct carrier *c, const char *net, const char *users)
{
	try(add_words(c, (const char *const[]){ NET_PASTA, "--config-net", "--foreground",
						"--quiet", "--no-map-gw", "--dns-forward",
						NET_PASTA_DNS, "--ns-ifname", INSIDE_NAME, "-T",
						"none", "-U", "none", NULL }));
	try(pasta_ports(c, false));
	try(pasta_ports(c, true));
	if (users)
		try(add_words(c, (const char *const[]){ "--userns", users, NULL }));
	else
		try(add_words(c, (const char *const[]){ "--netns-only", NULL }));
	return add_words(c, (const char *const[]){ "--netns", net, NULL });
}

static void become_carrier(struct carrier *c)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log = open(LOG_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL); /* pasta fails where it is ignored already */
	dup2(null, 0);
	dup2(log >= 0 ? log : null, 1);
	dup2(log >= 0 ? log : null, 2);
	if (c->ready >= 0)
		fcntl(c->ready, F_SETFD, 0);
	execvp(c->argv.v[0], c->argv.v);
	dprintf(2, "%s: %m\n", c->argv.v[0]);
	_exit(127);
}

static error *start(struct carrier *c, int *ready)
{
	char net[48];
	char users[48];
	int pipe[2] = { -1, -1 };
	bool is_slirp = strcmp(c->request.network, NET_SLIRP) == 0;

	snprintf(net, sizeof(net), "/proc/%d/ns/net", c->init);
	snprintf(users, sizeof(users), "/proc/%d/ns/user", c->init);
	if (is_slirp && pipe2(pipe, O_CLOEXEC) < 0)
		return error_errno("pipe");
	c->ready = pipe[1];
	*ready = pipe[0];
	const char *own_users = has_own_users(c->init) ? users : NULL;
	try(is_slirp ? slirp_words(c, net, own_users) : pasta_words(c, net, own_users));
	c->pid = fork();
	if (c->pid == 0)
		become_carrier(c);
	if (c->ready >= 0)
		close(take_fd(&c->ready));
	return c->pid < 0 ? error_errno("fork") : NULL;
}

/* What it said last. */
static error *carrier_failed(const struct carrier *c, const char *otherwise)
{
	auto_free char *said = NULL;
	auto_error error *none = file_read(AT_FDCWD, LOG_FILE, 1 << 16, &said, NULL);
	char *line = none ? NULL : said;

	for (char *next; line && (next = strchr(line, '\n')) && next[1];)
		line = next + 1;
	if (line)
		line[strcspn(line, "\n")] = '\0';
	return error_said(0, "%s: %s", c->request.network, line && *line ? line : otherwise);
}

/* A route that leads out: pasta has no other way to say that it is ready. */
static bool has_route(pid_t pid)
{
	auto_free char *text = NULL;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/net/route", pid);
	auto_error error *none = file_read(AT_FDCWD, path, 1 << 16, &text, NULL);
	return !none && strstr(text, "\n" INSIDE_NAME);
}

static error *wait_ready(struct carrier *c, int ready)
{
	char byte;

	for (int waited = 0; waited < READY_MS; waited += POLL_MS) {
		int status;
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			c->pid = 0;
			return carrier_failed(c, "ended before the network was there");
		}
		if (process_wait_end(c->init_pidfd, 0))
			return error_said(ESRCH, "the container has ended");
		struct pollfd p = { .fd = ready, .events = POLLIN };
		if (poll(&p, 1, POLL_MS) > 0 && ready >= 0) {
			if (read(ready, &byte, 1) == 1)
				return NULL;
			/* end of the pipe: it is about to end */
			ready = -1;
		} else if (c->request.network && strcmp(c->request.network, NET_PASTA) == 0 &&
			   has_route(c->init)) {
			return NULL;
		}
	}
	return carrier_failed(c, "is not ready after ten seconds");
}

/* slirp4netns takes ports on a socket, one in each connection. */
static error *slirp_publish(const struct port *p)
{
	auto_fd int socket = -1;
	auto_free char *answer = NULL;
	char ip[IP_TEXT] = "0.0.0.0";
	char text[64];
	char order[320];
	size_t len;

	if (p->ip.family == AF_INET6)
		return error_said(ENOTSUP,
				  "--publish: %s: slirp4netns publishes on IPv4 alone; pasta "
				  "does both",
				  port_text(p, text));
	if (p->ip.family)
		ip_text(&p->ip, ip);
	int n = snprintf(order, sizeof(order),
			 "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"%s\","
			 "\"host_addr\":\"%s\",\"host_port\":%u,\"guest_port\":%u}}",
			 p->udp ? "udp" : "tcp", ip, p->host, p->container);
	try(socket_connect(AT_FDCWD, API_SOCKET, SOCK_STREAM, &socket));
	try(fd_write_all(socket, order, (size_t)n));
	shutdown(socket, SHUT_WR);
	try(fd_read_all(socket, 1 << 16, &answer, &len));
	if (!strstr(answer, "\"error\""))
		return NULL;
	return error_said(EADDRINUSE,
			  "--publish: slirp4netns cannot have port %s of this host: "
			  "it is in use, or below 1024",
			  port_text(p, text));
}

static error *bring_up(struct carrier *c)
{
	auto_fd int ready = -1;

	try(start(c, &ready));
	try(wait_ready(c, ready));
	if (strcmp(c->request.network, NET_SLIRP) != 0)
		return NULL;
	for (size_t i = 0; i < c->ports.n; i++)
		try(slirp_publish(&c->ports.v[i]));
	/* nobody else shall ask for ports */
	return unlink(API_SOCKET) < 0 ? error_errno("remove %s", API_SOCKET) : NULL;
}

static void stop(const struct carrier *c)
{
	if (c->pid <= 0)
		return;
	kill(c->pid, SIGKILL); /* our child that nobody has waited for */
	waitpid(c->pid, NULL, 0);
}

/* Tells on the pipe how it went, then stays until one of the two has ended. */
static void watch(struct carrier *c, int tell)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	auto_error error *e = bring_up(c);
	if (e) {
		dprintf(tell, "%s", error_message(e));
		stop(c);
		unlink(API_SOCKET);
		_exit(1);
	}
	if (write(tell, "", 1) != 1) {
		stop(c);
		_exit(1);
	}
	close(tell);
	int pidfd = sys_pidfd_open(c->pid);
	struct pollfd polls[] = { { .fd = c->init_pidfd, .events = POLLIN },
				  { .fd = pidfd, .events = POLLIN } };
	while (poll(polls, COUNT(polls), -1) < 0 && errno == EINTR)
		;
	stop(c);
	_exit(0);
}

static error *read_own_request(const char *folder, struct carrier *c)
{
	auto_free char *text = NULL;
	size_t len;

	if (chdir(folder) < 0)
		return error_errno("enter %s", folder);
	try(file_read(AT_FDCWD, "network.json", 1 << 20, &text, &len));
	try_as(rows_read(&net_request_shape, text, len, ROWS_LENIENT, c->arena, &c->request),
	       "network.json");
	return ports_parse(&c->request.ports, c->arena, &c->ports);
}

static error *user(const struct request *r, int n, char **words)
{
	auto_arena struct arena *arena = NULL;
	struct carrier c = { .ready = -1, .init_pidfd = -1 };
	uint64_t pid;
	uint64_t started;
	int pipe[2];
	auto_free char *said = NULL;
	size_t len;

	(void)n;
	try(arena_new(&arena));
	c.arena = arena;
	const char *folder = arena_printf(arena, "%s/%s", r->root, words[0]);
	if (!folder)
		return arena_exhausted();
	try(read_own_request(folder, &c));
	if (!text_to_u64(words[1], &pid) || !text_to_u64(words[2], &started) || pid > INT32_MAX)
		return error_said(EINVAL, "want a process and its start time");
	c.init = (pid_t)pid;
	try(process_open(c.init, started, &c.init_pidfd));
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return error_errno("pipe");
	pid_t watcher = fork();
	if (watcher == 0) {
		close(pipe[0]);
		watch(&c, pipe[1]);
	}
	close(pipe[1]);
	error *e = watcher < 0 ? error_errno("fork") : fd_read_all(pipe[0], 4096, &said, &len);
	close(pipe[0]);
	if (!e && (len != 1 || said[0] != '\0'))
		e = error_said(0, "%s", len ? said : "the network's watcher died");
	close(c.init_pidfd);
	strings_free(&c.argv);
	return e;
}

const struct verb verb_user = {
	.name = "user", .args = "ID PID START-TIME", .min = 3, .max = 3, .run = user
};
