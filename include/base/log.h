/* Where messages go. An error goes to standard error and to the log alike: one kind of caller reads
 * one, another kind the other. Only cli logs errors; everybody below returns them. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* destination: NULL (standard error only), PATH, file:PATH, syslog:IDENT or journald:IDENT. */
must_use error *log_open(const char *destination, enum log_format format, enum log_level level);
bool log_has_debug(void);
/* phase: the command that failed ("run"), as a field of its own in JSON. */
void log_error(const char *phase, const error *e);
void log_warning(const char *fmt, ...) printf_like(1, 2);
void log_debug(const char *fmt, ...) printf_like(1, 2);
