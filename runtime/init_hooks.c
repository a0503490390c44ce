/* INIT: the hooks that run in the container's namespaces. */
#include "runtime/hooks.h"
#include "runtime/steps.h"

static struct hook_output output(const struct life *l)
{
	return (struct hook_output){ spec_annotation(l->spec, "run.oci.hooks.stdout"),
				     spec_annotation(l->spec, "run.oci.hooks.stderr") };
}

error *init_hooks_create_container(struct life *l)
{
	struct hook_output to = output(l);

	return hooks_run("createContainer", l->spec->hooks->create_container.v,
			 l->spec->hooks->create_container.n, l->hook_state_creating, &to);
}

error *init_hooks_start_container(struct life *l)
{
	struct hook_output to = { 0 }; /* a path of the host means nothing here any more */

	return hooks_run("startContainer", l->spec->hooks->start_container.v,
			 l->spec->hooks->start_container.n, l->hook_state_created, &to);
}
