/* skiff-fs: the file server of sandboxes. Requests of <linux/fuse.h> come out of a virtqueue, which
 * its engine hands over by the vhost-user protocol, and are done on the host's files below one
 * folder. The guest is hostile: each request is copied once and checked against one table
 * (fs_request.c); files are reached by descriptors and single names, never by a path and never
 * through a link; nothing but folders and regular files is ever opened. */
#pragma once

#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <linux/stat.h>

#include "base/error.h"
#include "vmm.h"
#include "vmm/virtq.h"

enum {
	FS_NAME_MAX = 255,      /* bytes of a name */
	FS_BUFFER = 68 << 10,   /* the largest of what is not read into or written from the guest:
				   an extended attribute and its name */
	FS_REPLY = 64 << 10,    /* the largest answer, likewise */
	FS_PAGES_MAX = 256,     /* of one read or write */
	FS_VALID_SECONDS = 1,   /* how long the guest may trust names and attributes */
	FS_NODES_MAX = 4 << 20, /* that the guest may know of at a time */
	FS_DEPTH_MAX = 4096,    /* names that lead to a node whose folders are all closed */
};

/* --- fs_node.c: what the guest knows of --- */

/* Which file it is, however it is named. */
struct fs_identity {
	uint64_t mount, ino;
	uint32_t major, minor;
};

/* A file, folder or anything else with a name. It is opened (O_PATH) only when it must be, by the
 * name below its parent, and closed again when too many are open: so 20,000 descriptors do for any
 * number of files. What has lost its name stays open as long as the guest knows of it. */
struct fs_node {
	uint32_t index, generation;
	uint64_t lookups; /* that the guest has not taken back */
	uint64_t uses;    /* nodes that are named below it */
	struct fs_identity id;
	mode_t type;
	int fd; /* O_PATH; below 0: closed */
	struct fs_node *parent;
	char *name;                    /* NULL: of the root, and of what has none any more */
	struct fs_node *next;          /* of those with the same hash */
	struct fs_node *newer, *older; /* of those that are open and may be closed */
	/* when it was opened last: what the guest has cached since then is still right if these are
	 */
	int64_t mtime, ctime;
	uint64_t size;
};

struct fs_nodes {
	struct {
		struct fs_node *node;
		uint32_t generation, next_free;
	} * slots;
	uint32_t n_slots, free; /* 0: none; the root has number 1 */
	struct fs_node **buckets;
	size_t n_buckets, n;
	struct fs_node *newest, *oldest;
	size_t open, open_max; /* descriptors of nodes that may be closed */
};

struct statx;

/* root: a folder's descriptor, taken. open_max: at least 8. */
must_use error *fs_nodes_make(struct fs_nodes *nodes, int root, size_t open_max);
void fs_nodes_free(struct fs_nodes *nodes);
/* NULL: the guest has taken it back, or never had it. */
struct fs_node *fs_node_find(const struct fs_nodes *nodes, uint64_t id);
uint64_t fs_node_id(const struct fs_node *n);
/* Its O_PATH descriptor, which holds until some others have been asked for; or -errno. */
int fs_node_fd(struct fs_nodes *nodes, struct fs_node *n);
/* 0 or an errno. */
int fs_node_stat(struct fs_nodes *nodes, struct fs_node *n, struct statx *stx);
/* A look at `name` in a folder: *out has that name now. */
int fs_node_look(struct fs_nodes *nodes, struct fs_node *folder, const char *name,
		 struct statx *stx, struct fs_node **out);
/* What has just been opened and has no name; takes fd, an O_PATH descriptor. */
int fs_node_nameless(struct fs_nodes *nodes, int fd, struct statx *stx, struct fs_node **out);
/* stx is the node's own: the change that was made may have moved the file, as overlayfs does. */
void fs_node_changed(struct fs_nodes *nodes, struct fs_node *n, const struct statx *stx);
/* The guest has been told of it / takes n of that back. */
void fs_node_told(struct fs_node *n);
void fs_node_forget(struct fs_nodes *nodes, struct fs_node *n, uint64_t lookups);
/* Before a name goes: the node that is known by it is opened, so that it outlives the name. NULL:
 * nobody knows it. */
struct fs_node *fs_node_hold(struct fs_nodes *nodes, struct fs_node *folder, const char *name);
/* After it went; `n` may be NULL. */
void fs_node_unnamed(struct fs_nodes *nodes, struct fs_node *n);
void fs_node_named(struct fs_nodes *nodes, struct fs_node *n, struct fs_node *folder,
		   const char *name);
/* Room for descriptors, when there is none left: how many were closed. */
size_t fs_nodes_close_some(struct fs_nodes *nodes);

/* --- fs_handle.c: what the guest has opened --- */

struct fs_handle {
	int fd; /* below 0: free */
	uint32_t generation, next_free;
	int64_t position; /* of a folder: where its descriptor is */
};
struct fs_handles {
	struct fs_handle *slots;
	uint32_t n, free;
};

/* Takes fd. 0 or an errno. */
int fs_handle_new(struct fs_handles *h, int fd, uint64_t *out);
struct fs_handle *fs_handle_find(const struct fs_handles *h, uint64_t id);
void fs_handle_close(struct fs_handles *h, uint64_t id);
void fs_handles_free(struct fs_handles *h);

/* --- the server --- */

enum { FS_DEVICES_MAX = 256 };
struct fs_device {
	uint32_t major, minor;
};

struct fs {
	struct fs_nodes nodes;
	struct fs_handles handles;
	bool begun;         /* INIT was there */
	bool makes_devices; /* the guest may make device nodes, which are the host's */
	struct fs_device devices[FS_DEVICES_MAX];
	size_t n_devices;
	/* as whom files are made: set again only when another one asks */
	uid_t uid;
	gid_t gid;
	mode_t mask;
	struct file_counts *counts;
};

/* One request, checked. */
struct fs_request {
	struct fuse_in_header head;
	const struct fs_op *op;
	struct fs_node *node; /* that it is about */
	const void *args;     /* as many bytes as the table says, aligned */
	const char *names[2]; /* each one without a slash, neither empty nor "." or ".." */
	const void *data;     /* behind the names */
	size_t data_len;
	const struct chain *chain; /* the guest's memory: the data of reads and writes */
	void *reply;               /* room for the answer */
	size_t room, len;          /* ... and how much of it is used */
	bool in_place;             /* it is in the guest's memory already */
};

/* fs_request.c: does one request of the guest's; *written: bytes of the answer. An error is the
 * guest's fault and ends the server. */
must_use error *fs_serve(struct fs *fs, const struct chain *c, uint32_t *written);
/* root: a folder's descriptor, taken; the process's working folder must be /proc/self/fd. */
must_use error *fs_make(struct fs *fs, int root, size_t open_max);
void fs_free(struct fs *fs);

/* What the guest asks for: each does one request and returns 0 or an errno, which is the answer. */
typedef int fs_operation(struct fs *fs, struct fs_request *r);
enum { FS_NO_ANSWER = -1 };

fs_operation fs_lookup, fs_forget, fs_batch_forget, fs_getattr, fs_setattr, fs_readlink, fs_symlink,
	fs_mknod, fs_mkdir, fs_unlink, fs_rmdir, fs_rename, fs_rename2, fs_link, fs_open, fs_read,
	fs_write, fs_statfs, fs_release, fs_fsync, fs_setxattr, fs_getxattr, fs_listxattr,
	fs_removexattr, fs_init, fs_opendir, fs_readdir, fs_readdirplus, fs_create, fs_destroy,
	fs_fallocate, fs_lseek, fs_copy_file_range, fs_syncfs, fs_tmpfile;

/* The entry of a node that the guest is told of. */
void fs_fill_entry(struct fs *fs, const struct fs_node *n, const struct statx *stx,
		   struct fuse_entry_out *out);
void fs_fill_attr(struct fs *fs, const struct statx *stx, struct fuse_attr *out);
/* A file's number, as the guest sees it. */
uint64_t fs_number(struct fs *fs, uint32_t major, uint32_t minor, uint64_t ino);
int64_t fs_nanoseconds(const struct statx_timestamp *t);
/* What is made from now on belongs to whom the request says. */
int fs_act_for(struct fs *fs, const struct fs_request *r, mode_t mask);
/* A regular file or a folder, opened anew: a descriptor or -errno. */
int fs_reopen(struct fs *fs, struct fs_node *n, int flags);
/* The same, as the guest has it open. */
int fs_open_node(struct fs *fs, struct fs_node *n, uint32_t flags, uint32_t open_flags,
		 struct fuse_open_out *out);
/* What a write by somebody without privileges takes from a file's mode. */
void fs_drop_suid(int fd);
/* "N": the file behind a descriptor, for calls that take only paths; the working folder is
 * /proc/self/fd. */
struct fs_path {
	char text[12];
};
struct fs_path fs_path(int fd);
int fs_statx(int dir, const char *name, struct statx *stx);

/* --- fs_vhost.c: the other end of the engine's device --- */

struct vhost;
/* socket: connected to the engine. Serves until it hangs up. */
must_use error *vhost_serve(int socket, struct fs *fs);

/* --- fs_jail.c --- */

/* Leaves everything but the folder behind: namespaces, root, capabilities, system calls. Opens the
 * root of what is served. devices: keeps the right to make their nodes. */
must_use error *fs_jail(const char *folder, bool devices, int *root);
