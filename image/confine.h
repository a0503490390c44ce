/* What an archive may make this process do, even where the extractor is wrong: the kernel refuses
 * whatever is not below a few folders (Landlock), programs, connections, and files that are larger
 * than the image may be. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct confine_folder {
	int fd;           /* negative: none */
	bool only_remove; /* folders, and nothing else */
};

/* For this process and for good; before it starts threads. Reading stays free. Where the kernel has
 * no Landlock, or one that cannot move files between folders (before Linux 5.19), only the size of
 * files is limited. */
must_use error *confine(const struct confine_folder *folders, size_t n, uint64_t max_file);
