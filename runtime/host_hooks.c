/* HOST: the hooks that run in the host's namespaces. */
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "runtime/hooks.h"
#include "runtime/state.h"
#include "runtime/steps.h"

static struct hook_output output(const struct life *l)
{
	return (struct hook_output){ spec_annotation(l->spec, "run.oci.hooks.stdout"),
				     spec_annotation(l->spec, "run.oci.hooks.stderr") };
}

error *host_hooks_create_runtime(struct life *l)
{
	const struct spec_hooks *h = l->spec->hooks;
	struct hook_output to = output(l);

	try(hooks_run("prestart", h->prestart.v, h->prestart.n, l->hook_state_creating, &to));
	return hooks_run("createRuntime", h->create_runtime.v, h->create_runtime.n,
			 l->hook_state_creating, &to);
}

/* "If any poststart hook fails, the runtime MUST generate an error ... stop and delete": by the
 * caller. */
error *host_hooks_poststart(struct life *l)
{
	struct hook_output to = output(l);
	auto_free char *state = NULL;

	try(state_json(l->fixed, RUNNING, l->init, false, &state));
	return hooks_run("poststart", l->spec->hooks->poststart.v, l->spec->hooks->poststart.n,
			 state, &to);
}
