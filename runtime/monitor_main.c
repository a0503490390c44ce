/* skiff-sandbox: the monitor of a sandbox goes on with the plan where skiff left it. */
#include <sys/prctl.h>

#include "base/arena.h"
#include "base/kernel.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/steps.h"
#include "runtime/vm.h"

int main(int argc, char **argv)
{
	static struct life life;
	const struct arena *arena;
	uint32_t fd;
	uint32_t row;
	uint32_t side;

	if (argc != 5 || !text_to_u32(argv[1], &fd) || !text_to_u32(argv[2], &row) ||
	    !text_to_u32(argv[3], &side))
		return 1;
	auto_error error *e = arena_map((int)fd, &arena);
	if (e)
		return 1;
	life = *(const struct life *)arena_root(arena);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	process_title_init(argc, argv);
	/* what goes wrong is told to the host by the walk itself */
	e = plan_walk(vm_life, &life, (enum side)side, row, (enum side)side);
	return 1;
}
