#include "netns/verb.h"

static error *user(const struct request *r, int n, char **words)
{
	(void)r, (void)n, (void)words;
	return error_said(ENOSYS, "later");
}
const struct verb verb_user = {
	.name = "user", .args = "ID NAMESPACE", .min = 2, .max = 2, .run = user
};
