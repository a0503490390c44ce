#include "image/platform.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/text.h"

/* The kernel's names of machines and Go's, which images use. */
static const struct {
	const char *machine, *architecture, *variant;
} machines[] = {
	{ "x86_64", "amd64", "" },
	{ "aarch64", "arm64", "v8" },
	{ "armv7l", "arm", "v7" },
	{ "armv6l", "arm", "v6" },
	{ "i686", "386", "" },
	{ "i386", "386", "" },
	{ "ppc64le", "ppc64le", "" },
	{ "s390x", "s390x", "" },
	{ "riscv64", "riscv64", "" },
	{ "mips64", "mips64le", "" },
	{ "loongarch64", "loong64", "" },
};

static error *this_machine(struct platform *out)
{
	struct utsname u;

	if (uname(&u) < 0)
		return error_errno("uname");
	strcpy(out->os, "linux");
	for (size_t i = 0; i < COUNT(machines); i++)
		if (strcmp(machines[i].machine, u.machine) == 0) {
			strcpy(out->architecture, machines[i].architecture);
			strcpy(out->variant, machines[i].variant);
			return NULL;
		}
	snprintf(out->architecture, sizeof(out->architecture), "%.31s", u.machine);
	return NULL;
}

error *platform_parse(const char *text, struct platform *out)
{
	struct platform p = { 0 };
	char end;

	if (!text) {
		try(this_machine(&p));
	} else {
		int n = sscanf(text, "%31[a-z0-9_]/%31[a-z0-9_]/%31[a-z0-9_.]%c", p.os,
			       p.architecture, p.variant, &end);
		bool whole =
			(n == 2 && strlen(p.os) + strlen(p.architecture) + 1 == strlen(text)) ||
			(n == 3 && strlen(p.os) + strlen(p.architecture) + strlen(p.variant) + 2 ==
					   strlen(text));
		if (!whole)
			return error_said(EINVAL, "'%s' is not a platform such as linux/arm64/v8",
					  text);
	}
	*out = p;
	return NULL;
}

enum { FITS_UNSAID = 1, FITS_LOWER = 10, FITS_NO_VARIANT = 50, FITS_EXACTLY = 100 };

int platform_fit(const struct platform *want, const struct image_platform *p)
{
	if (!p || (!p->os && !p->architecture))
		return FITS_UNSAID;
	if (!text_same(p->os, want->os) || !text_same(p->architecture, want->architecture))
		return 0;
	const char *has = p->variant ? p->variant : "";
	if (strcmp(has, want->variant) == 0)
		return FITS_EXACTLY;
	if (!*has)
		return FITS_NO_VARIANT;
	if (strcmp(want->architecture, "arm64") == 0 && strcmp(has, "v8") == 0)
		return FITS_EXACTLY;
	/* an older variant runs on a newer machine; without a wish only the oldest surely does */
	if (has[0] != 'v' || has[1] < '1' || has[1] > '9' || has[2])
		return 0;
	char most = want->variant[0] == 'v' ? want->variant[1] : '1';
	return has[1] <= most ? FITS_LOWER + has[1] - '0' : 0;
}
