/* Any requests as a hostile guest of the file server, on files of a folder that is made for each
 * input. Nodes and handles are those of earlier answers, so that requests get far. Nothing beside
 * the folder may change. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/vmm/fs_guest.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KNOWN = 8 };

struct input {
	const uint8_t *data;
	size_t left;
};

static uint64_t take(struct input *in, unsigned len)
{
	uint64_t value = 0;

	for (; len && in->left; len--, in->left--)
		value = value << 8 | *in->data++;
	return value;
}

static char outer[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if (type == FTW_DNR && chmod(path, 0700) < 0)
		abort();
	return S_ISDIR(st->st_mode) ? rmdir(path) : unlink(path);
}

/* A folder whose mode forbids to look into it is there until the next round. */
static void remove_folder(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/root", outer);
	for (int round = 0; round < 100 && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0;
	     round++) {
	}
}

static int make_folder(void)
{
	static const char *const folders[] = { "a", "a/b", "c" };
	static const char *const files[] = { "f", "a/f", "a/b/f", "c/g" };
	int top = open(outer, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (top < 0 || mkdirat(top, "root", 0755) < 0)
		abort();
	int root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < COUNT(folders); i++)
		if (mkdirat(root, folders[i], 0755) < 0)
			abort();
	for (size_t i = 0; i < COUNT(files); i++)
		close(openat(root, files[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	if (symlinkat("../outside", root, "link") < 0 || mkfifoat(root, "fifo", 0644) < 0)
		abort();
	close(top);
	return root;
}

static void look_outside(void)
{
	DIR *d = opendir(outer);
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	if (n != 3) /* outside, . and .. */
		abort();
	char path[96];
	struct stat st;
	snprintf(path, sizeof(path), "%s/outside", outer);
	if (lstat(path, &st) || !S_ISREG(st.st_mode) || st.st_size != 7 || st.st_nlink != 1 ||
	    (st.st_mode & 07777) != 0600)
		abort();
}

static uint64_t pick(struct input *in, const uint64_t known[KNOWN])
{
	unsigned which = (unsigned)take(in, 1);

	return which & 0x80 ? take(in, 8) : known[which % KNOWN];
}

static size_t put_name(struct input *in, uint8_t *at)
{
	static const char *const names[] = { "a",
					     "b",
					     "c",
					     "f",
					     "g",
					     "link",
					     "fifo",
					     "new",
					     "..",
					     "../outside",
					     ".",
					     "",
					     "user.x",
					     "system.posix_acl_access",
					     "security.capability" };
	unsigned which = (unsigned)take(in, 1);

	if (which & 0x80) {
		size_t len = which & 0x7f;
		for (size_t i = 0; i < len; i++)
			at[i] = (uint8_t)take(in, 1);
		return len;
	}
	const char *name = names[which % COUNT(names)];
	memcpy(at, name, strlen(name) + 1);
	return strlen(name) + 1;
}

/* Many fixed parts begin with a handle, or have a node or a handle further on. */
static size_t put_args(struct input *in, uint8_t *at, const uint64_t nodes[KNOWN],
		       const uint64_t handles[KNOWN])
{
	size_t len = take(in, 1) % 12 * 8;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word;
		switch (take(in, 1) % 5) {
		case 0:
			word = pick(in, handles);
			break;
		case 1:
			word = pick(in, nodes);
			break;
		case 2:
			word = take(in, 8);
			break;
		case 3:
			word = take(in, 2);
			break;
		default:
			word = take(in, 1) << 32 | take(in, 1);
			break;
		}
		memcpy(at + i, &word, 8);
	}
	return len;
}

static void remember(struct guest *g, uint32_t code, uint64_t nodes[KNOWN], uint64_t handles[KNOWN],
		     unsigned n)
{
	struct fuse_entry_out entry;
	struct fuse_open_out opened;

	if (g->len == sizeof(entry) || g->len == sizeof(entry) + sizeof(opened)) {
		memcpy(&entry, g->answer, sizeof(entry));
		nodes[1 + n % (KNOWN - 1)] = entry.nodeid;
	}
	if (g->len >= sizeof(opened) &&
	    (code == FUSE_OPEN || code == FUSE_OPENDIR || code == FUSE_CREATE)) {
		memcpy(&opened, g->answer + g->len - sizeof(opened), sizeof(opened));
		handles[n % KNOWN] = opened.fh;
	}
}

static bool request(struct guest *g, struct input *in, uint64_t nodes[KNOWN],
		    uint64_t handles[KNOWN], unsigned n)
{
	static uint8_t bytes[8192];
	struct fuse_in_header *head = (struct fuse_in_header *)bytes;
	uint32_t code = (uint32_t)take(in, 1) % 56;
	unsigned shape = (unsigned)take(in, 1);
	size_t len = sizeof(*head);

	*head = (struct fuse_in_header){ .opcode = code, .unique = n, .nodeid = pick(in, nodes) };
	len += put_args(in, bytes + len, nodes, handles);
	for (unsigned i = 0; i < (shape & 3); i++)
		len += put_name(in, bytes + len);
	if (shape & 4)
		for (size_t more = take(in, 1); more; more--)
			bytes[len++] = (uint8_t)take(in, 1);
	head->len = (uint32_t)(shape & 8 ? take(in, 2) : len);
	guest_send(g, bytes, len, shape & 16 ? take(in, 2) % GUEST_ANSWER : GUEST_ANSWER);
	if (g->why) {
		error_free(g->why);
		return false;
	}
	if (!g->head.error && g->head.len)
		remember(g, code, nodes, handles, n);
	return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct rlimit small = { 1 << 20, 1 << 20 };
	const char *folder = getenv("FUZZ_FOLDER");

	(void)argc;
	(void)argv;
	snprintf(outer, sizeof(outer), "%s/fs.XXXXXX", folder ? folder : "/dev/shm");
	if (!mkdtemp(outer))
		abort();
	char path[96];
	snprintf(path, sizeof(path), "%s/outside", outer);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "hidden\n", 7) != 7)
		abort();
	close(fd);
	/* what is too large fails at once */
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &small) < 0)
		abort();
	int self = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fchdir(self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest g;
	const struct fuse_init_in init = { .major = 7, .minor = 38, .flags = ~0U };
	struct input in = { data, size };
	uint64_t nodes[KNOWN] = { FUSE_ROOT_ID, FUSE_ROOT_ID };
	uint64_t handles[KNOWN] = { 0 };

	if (fs_make(&g.fs, make_folder(), 8))
		abort();
	if (guest_ask(&g, FUSE_INIT, 0, &init, sizeof(init), NULL, 0))
		abort();
	for (unsigned n = 0; in.left && n < 200; n++)
		if (!request(&g, &in, nodes, handles, n))
			break;
	fs_free(&g.fs);
	remove_folder();
	look_outside();
	return 0;
}
