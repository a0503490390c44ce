/* How an import gets on: one line that is written over on a terminal, plain lines elsewhere. */
#pragma once

#include "image/import.h"

/* Prepares p->show: nothing at all with quiet. Writes to standard error. */
void progress_init(struct import_progress *p, bool quiet);
