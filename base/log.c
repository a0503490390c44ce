#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"

static struct {
	int fd; /* 0: none */
	enum { TO_FILE, TO_SYSLOG, TO_JOURNAL } kind;
	enum log_format format;
	enum log_level level;
	char ident[64];
} to;

static const char *const level_names[] = { "error", "warning", "debug" };

static error *open_daemon(const char *socket_path, const char *ident)
{
	snprintf(to.ident, sizeof(to.ident), "%s", ident);
	return socket_connect(AT_FDCWD, socket_path, SOCK_DGRAM, &to.fd);
}

error *log_open(const char *destination, enum log_format format, enum log_level level)
{
	to.format = format;
	to.level = level;
	if (!destination || !*destination)
		return NULL;
	if (text_starts(destination, "syslog:")) {
		to.kind = TO_SYSLOG;
		return open_daemon("/dev/log", destination + 7);
	}
	if (text_starts(destination, "journald:")) {
		to.kind = TO_JOURNAL;
		return open_daemon("/run/systemd/journal/socket", destination + 9);
	}
	const char *path = text_starts(destination, "file:") ? destination + 5 : destination;
	to.kind = TO_FILE;
	to.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (to.fd >= 0)
		return NULL;
	to.fd = 0;
	return error_errno("open the log %s", path);
}

bool log_has_debug(void)
{
	return to.level >= LOG_LEVEL_DEBUG;
}

/* A log that cannot be written has nobody to tell. */
static void deliver(const char *line)
{
	auto_error error *lost = fd_write_all(to.fd, line, strlen(line));
}

static void write_json(enum log_level level, const char *phase, int code, const char *text,
		       const char *time)
{
	auto_json struct json *j = NULL;
	auto_error error *e = json_new(JSON_ONE_LINE, &j);
	const char *line;

	if (e)
		return;
	json_object(j, NULL);
	json_text(j, "level", level_names[level]);
	json_text(j, "msg", text);
	json_text(j, "time", time);
	if (phase)
		json_text(j, "phase", phase);
	if (code)
		json_i64(j, "errno", code);
	json_end(j);
	e = json_finish(j, &line, NULL);
	auto_free char *with_end = NULL;
	if (!e && asprintf(&with_end, "%s\n", line) > 0)
		deliver(with_end);
}

static void write_to_log(enum log_level level, const char *phase, int code, const char *text)
{
	static const int syslog_priorities[] = { 3, 4, 7 };
	struct timespec now;
	struct tm tm;
	char date[32];
	char stamp[64];
	auto_free char *line = NULL;
	int n = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp), "%s.%09ldZ", date, now.tv_nsec);
	if (to.kind == TO_SYSLOG)
		n = asprintf(&line, "<%d>%s: %s", 24 + syslog_priorities[level], to.ident, text);
	else if (to.kind == TO_JOURNAL)
		n = asprintf(&line, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n",
			     syslog_priorities[level], to.ident, text);
	else if (to.format == LOG_JSON)
		write_json(level, phase, code, text, stamp);
	else
		n = asprintf(&line, "%s %s: %s\n", stamp, level_names[level], text);
	if (n > 0)
		deliver(line);
}

static void say(enum log_level level, const char *phase, int code, const char *text)
{
	if (level > to.level)
		return;
	/* one line, and nothing that a terminal would obey: names in it may be anybody's */
	auto_free char *line = strdup(text);
	for (char *c = line; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	if (line)
		text = line;
	fprintf(stderr, "skiff: %s%s\n", level == LOG_LEVEL_WARNING ? "warning: " : "", text);
	if (to.fd > 0)
		write_to_log(level, phase, code, text);
}

void log_error(const char *phase, const error *e)
{
	say(LOG_LEVEL_ERROR, phase, error_code(e), error_message(e));
}

static void say_formatted(enum log_level level, const char *fmt, va_list ap)
{
	auto_free char *text = NULL;

	if (level <= to.level && vasprintf(&text, fmt, ap) >= 0)
		say(level, NULL, 0, text);
}

void log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_formatted(LOG_LEVEL_WARNING, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_formatted(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}
