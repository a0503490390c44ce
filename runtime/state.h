/* What is kept about a container between commands: ROOT/ID/ with
 *     state.json    what was decided when it was made; never changed
 *     config.json   as it was read
 *     init          pid and start time of its first process, once there is one
 *     network.json  how it is connected, with --net bridge; hosts, resolv.conf, hostname beside it
 *     start.lock    locked by the first process until it becomes the program: hence "created"
 *     start.sock    where it waits for `start`
 *     lock          locked by each command that changes something
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/rows.h"
#include "spec.h"

/* clang-format off */
#define STATE_FIXED(row) \
	row(STR,      oci_version,    "ociVersion",    REQUIRED) \
	row(STR,      id,             "id",            REQUIRED) \
	row(STR,      bundle,         "bundle",        REQUIRED) \
	row(STR,      rootfs,         "rootfs",        REQUIRED) \
	row(STR,      created,        "created",       REQUIRED) \
	row(STR,      owner,          "owner",         REQUIRED) \
	row(U32,      uid,            "uid",           OPTIONAL) \
	row(STR,      cgroup_path,    "cgroupPath",    OPTIONAL) \
	row(STR,      cgroup_manager, "cgroupManager", OPTIONAL) \
	row(BOOL,     rootless,       "rootless",      OPTIONAL) \
	row(BOOL,     detached,       "detached",      OPTIONAL) \
	row(STR,      container_dir,  "containerDir",  OPTIONAL) \
	row(STR,      rdt_group,      "rdtGroup",      OPTIONAL) \
	row(STR,      names,          "names",         OPTIONAL) \
	row(STRS,     net_devices,    "netDevices",    OPTIONAL) \
	row(BOOL,     sandbox,        "sandbox",       OPTIONAL) \
	row(STR,      led_network,    "ledNetwork",    OPTIONAL) /* a namespace that outlives it */ \
	row(STR,      vsock,          "vsock",         OPTIONAL) /* of a sandbox: a folder */ \
	row(STRS,     disks,          "disks",         OPTIONAL) /* of a sandbox: images */ \
	row(MAP,      annotations,    "annotations",   OPTIONAL)
/* clang-format on */

SHAPE_STRUCT(state_fixed, STATE_FIXED)

enum container_status { CREATING, CREATED, RUNNING, PAUSED, STOPPED };

struct state {
	int dir;  /* ROOT/ID, for reading */
	int lock; /* held by this process, or -1 */
	char *path;
	struct arena *arena;
	struct state_fixed
		*fixed; /* NULL while there is no state.json: a crash in the first moments */
	pid_t init;     /* 0: none yet */
	uint64_t init_start;
};

/* The folder of all states: --root, or /run/skiff, or for ordinary users $XDG_RUNTIME_DIR/skiff.
 * Made when it is missing (mode 0711 for root, 0700 else). malloc()ed. */
must_use error *state_root(const char *asked, bool make, char **out);
/* Letters, digits, "_+-." and not "." first. */
bool state_id_is_valid(const char *id);

/* Makes ROOT/ID, locked. EEXIST when the id is taken. */
must_use error *state_new(const char *root, const char *id, struct state **out);
/* Opens what is there; with lock it waits for other commands. ENOENT: "container 'X' does not
 * exist". */
must_use error *state_open(const char *root, const char *id, bool lock, struct state **out);
bool state_exists(const char *root, const char *id);
must_use error *state_write_fixed(struct state *s, const struct state_fixed *fixed);
must_use error *state_write_init(struct state *s, pid_t init);
void state_free(struct state *s);
must_use error *state_remove(struct state *s);

enum container_status state_status(const struct state *s);
const char *state_status_word(enum container_status status);
/* The state as the specification's JSON; malloc()ed. With more: skiff's own fields too. */
must_use error *state_json(const struct state_fixed *fixed, enum container_status status, pid_t pid,
			   bool more, char **out);
/* The config.json that the container was made from. */
must_use error *state_spec(struct state *s, const struct spec **out);
/* A pidfd of the first process; ESRCH when it is gone. */
must_use error *state_open_init(const struct state *s, int *pidfd);

/* The ids under root, sorted. */
must_use error *state_list(const char *root, char ***ids, size_t *n);

DEFINE_AUTO(struct state *, state_free)
#define auto_state auto_(state_free)
