#include "image/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* What the display itself remembers: there is one import at a time in this program. */
static struct {
	struct timespec begun;
	unsigned told; /* layers that had a line of their own */
} display;

static void format_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < COUNT(units); unit++)
		value /= 1024;
	snprintf(out, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static double seconds_since_begin(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - display.begun.tv_sec) +
	       (double)(now.tv_nsec - display.begun.tv_nsec) / 1e9;
}

static int format_line(const struct import_progress *p, char *out, size_t size)
{
	char done[32];
	char total[32];
	char rate[32];
	double seconds = seconds_since_begin();

	format_bytes(p->bytes, done, sizeof(done));
	format_bytes(p->total, total, sizeof(total));
	format_bytes(seconds > 0.01 ? (uint64_t)((double)p->bytes / seconds) : 0, rate,
		     sizeof(rate));
	return snprintf(out, size, "layers %u/%u  %s%s%s  %s/s", p->layers_done, p->layers, done,
			p->total ? " of " : "", p->total ? total : "", rate);
}

static void show_on_terminal(struct import_progress *p, bool is_end)
{
	enum { BAR = 24 };
	char line[200];
	char bar[BAR + 1];
	uint64_t done = p->bytes;
	uint64_t total = p->total;
	struct winsize w = { 0 };
	int n = format_line(p, line, sizeof(line));

	if (done > total)
		done = total;
	size_t filled = total ? (size_t)(done * BAR / total) : 0;
	memset(bar, '.', BAR);
	memset(bar, '#', filled);
	bar[BAR] = '\0';
	bool fits = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > (unsigned)n + BAR + 3;
	fprintf(stderr, "\r\033[K%s%s%s%s%s", total && fits ? "[" : "", total && fits ? bar : "",
		total && fits ? "] " : "", line, is_end ? "\n" : "");
	fflush(stderr);
}

static void show_as_lines(struct import_progress *p, bool is_end)
{
	char line[200];
	unsigned done = p->layers_done;

	if (done == display.told && !(is_end && done == 0))
		return;
	display.told = done;
	format_line(p, line, sizeof(line));
	fprintf(stderr, "%s\n", line);
}

void progress_init(struct import_progress *p, bool quiet)
{
	clock_gettime(CLOCK_MONOTONIC, &display.begun);
	display.told = 0;
	p->show = quiet ? NULL : isatty(STDERR_FILENO) ? show_on_terminal : show_as_lines;
}
